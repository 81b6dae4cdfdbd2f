import { describe, expect, it } from 'vitest'
import type { Palette } from '../../palette'
import { AXIS, boxOf, HEAD, hitAt, type Scene, timeAt, xOf } from '../scene'
import { planTracks } from '../tracks'
import { arrange, clampSpan, fitSpan, panSpan, trackAt, zoomSpan } from '../view'
import { BASE, dataOf, type SampleRow } from './sample'

const WHOLE = { from: 0, to: 1e9 }

describe('the span', () => {
  it('shows everything, with room for the word "now" while it runs', () => {
    const plan = planTracks(dataOf([{ seq: 1, name: 't', created: 1e6, start: 2e6, end: 9e6 }]))
    const ended = fitSpan(plan, 50e6, false, 1000)
    expect(ended.from).toBeLessThan(1e6)
    expect(ended.to).toBeGreaterThan(9e6)
    expect(ended.to).toBeLessThan(9.5e6)
    const live = fitSpan(plan, 50e6, true, 1000)
    expect(((live.to - 50e6) / (live.to - live.from)) * 1000).toBeCloseTo(48)
  })

  it('shows something of a run whose only task took no time', () => {
    const plan = planTracks(dataOf([{ seq: 1, name: 't', start: 0, end: 0 }]))
    const span = fitSpan(plan, 0, false, 1000)
    expect(span.to - span.from).toBeGreaterThan(0)
  })

  it('zooms so that the moment under the pointer stays there', () => {
    const before = { from: 2e8, to: 6e8 }
    const after = zoomSpan(before, 3e8, 0.5, WHOLE)
    expect(after).toEqual({ from: 2.5e8, to: 4.5e8 })
  })

  it('ends zooming at a hundred microseconds and at twice the whole', () => {
    let close = { from: 0, to: 1e9 }
    let far = { from: 0, to: 1e9 }
    for (let turn = 0; turn < 100; turn++) {
      close = zoomSpan(close, 5e8, 0.5, WHOLE)
      far = zoomSpan(far, 5e8, 2, WHOLE)
    }
    expect(close.to - close.from).toBeCloseTo(100)
    expect((close.from + close.to) / 2).toBeCloseTo(5e8)
    expect(far.to - far.from).toBe(2e9)
  })

  it('never pans off everything there is', () => {
    expect(panSpan({ from: 0, to: 1e8 }, 1e12, WHOLE).from).toBeLessThan(WHOLE.to)
    expect(panSpan({ from: 0, to: 1e8 }, -1e12, WHOLE).to).toBeGreaterThan(WHOLE.from)
    expect(clampSpan({ from: 5e8, to: 4e8 }, WHOLE).to).toBeGreaterThan(5e8 - 1e8)
  })
})

/** A plan of tracks with so many lanes each. */
function planOf(...lanes: number[]) {
  let seq = 1
  return planTracks(
    dataOf(
      lanes.flatMap((count, track) =>
        Array.from({ length: count }, () => ({ seq: seq++, name: `t${track}`, start: 0, end: 10 })),
      ),
    ),
  )
}

describe('the heights of tracks', () => {
  it('gives few lanes comfortable ones', () => {
    const { rows, height } = arrange(planOf(1, 3), 500, false)
    expect(rows.map(({ pitch }) => pitch)).toEqual([18, 18])
    expect(rows.map(({ height: each }) => each)).toEqual([32, 66])
    expect(height).toBe(98)
  })

  it('shares what is left among tracks of many lanes', () => {
    const { rows, height } = arrange(planOf(1, 64), 400, false)
    expect(rows[1]!.pitch).toBe(5)
    expect(height).toBeLessThanOrEqual(400)
  })

  it('makes a density of more lanes than pixels, beside lanes where there are fewer', () => {
    const { rows, height } = arrange(planOf(1000, 20), 400, false)
    expect(rows.map(({ pitch }) => pitch > 0)).toEqual([false, true])
    expect(height).toBeLessThanOrEqual(400)
  })

  it('scrolls rather than making tracks too low to be seen', () => {
    const { rows, height } = arrange(planOf(...Array.from({ length: 20 }, () => 50)), 400, false)
    expect(height).toBeGreaterThan(400)
    for (const row of rows) expect(row.height).toBeGreaterThanOrEqual(32)
  })

  it('makes room for the name above on a narrow screen', () => {
    const [row] = arrange(planOf(1), 400, true).rows
    expect(row!.laneTop - row!.top).toBeGreaterThanOrEqual(18)
  })

  it('finds the track at a height', () => {
    const arrangement = arrange(planOf(1, 3, 1), 500, false)
    expect([-1, 0, 31, 32, 97, 98, 129, 130].map((y) => trackAt(arrangement, y))).toEqual([-1, 0, 0, 1, 1, 2, 2, -1])
  })
})

/** A scene of one µs a pixel, without names at its side. */
function sceneOf(rows: SampleRow[], rest: Partial<Scene> = {}): Scene {
  const data = dataOf(rows)
  const plan = planTracks(data)
  return {
    data,
    plan,
    arrangement: arrange(plan, 400, false),
    span: { from: 0, to: 1000 },
    now: 900,
    isLive: false,
    zone: 'UTC',
    palette: {} as Palette,
    width: 1000,
    height: 400 + AXIS,
    labels: 0,
    scroll: 0,
    ratio: 1,
    axisLabels: [],
    ...rest,
  }
}

describe('what is at a point', () => {
  const rows: SampleRow[] = [
    { seq: 1, name: 'a', start: 100, end: 200 },
    { seq: 2, name: 'b', start: 300, end: 400 },
    { seq: 3, name: 'b', start: 350, end: 700, state: 'failed' },
    { seq: 4, name: 'b', start: 800, state: 'running' },
  ]
  const scene = sceneOf(rows)
  const middle = (row: number) => {
    const box = boxOf(scene, row)!
    return (box.top + box.bottom) / 2
  }

  it('finds every bar in its own middle', () => {
    rows.forEach((_, row) => {
      const box = boxOf(scene, row)!
      expect(hitAt(scene, (box.left + box.right) / 2, middle(row))).toEqual({ track: row === 0 ? 0 : 1, row })
    })
  })

  it('finds a bar that is missed by few pixels, none in between', () => {
    expect(hitAt(scene, 98, middle(0)).row).toBe(0)
    expect(hitAt(scene, 202, middle(0)).row).toBe(0)
    expect(hitAt(scene, 250, middle(0)).row).toBe(-1)
    expect(hitAt(scene, 950, middle(3)).row).toBe(-1)
  })

  it('finds no row over the names and the axis', () => {
    expect(hitAt({ ...scene, labels: 200 }, 150, middle(0))).toEqual({ track: 0, row: -1 })
    expect(hitAt(scene, 150, 400 + AXIS - 2)).toEqual({ track: -1, row: -1 })
  })

  it('goes with the scroll', () => {
    expect(hitAt({ ...scene, scroll: 20 }, 150, middle(0) - 20).row).toBe(0)
  })

  it('finds the failure among many bars under one pixel', () => {
    const many: SampleRow[] = Array.from({ length: 2000 }, (_, at) => ({
      seq: at + 1,
      name: 't',
      start: at / 10,
      end: at / 10 + 0.09,
      state: at === 1234 ? 'failed' : 'completed',
    }))
    const dense = sceneOf(many)
    const box = boxOf(dense, 1234)!
    expect(hitAt(dense, 124, (box.top + box.bottom) / 2).row).toBe(1234)
  })

  it('takes a failure in a density by its mark', () => {
    const many: SampleRow[] = Array.from({ length: 900 }, (_, at) => ({
      seq: at + 1,
      name: 't',
      start: 0,
      end: 500 + (at % 7),
      state: at === 70 ? 'crashed' : 'completed',
    }))
    const dense = sceneOf(many)
    expect(dense.arrangement.rows[0]!.pitch).toBe(0)
    expect(hitAt(dense, 499, HEAD + 100).row).toBe(70)
    expect(hitAt(dense, 300, HEAD + 100).row).toBe(-1)
  })

  it('goes from times to pixels and back', () => {
    const shifted = { ...scene, labels: 200, span: { from: 5e6, to: 9e6 } }
    expect(xOf(shifted, 5e6)).toBe(200)
    expect(timeAt(shifted, xOf(shifted, 6.5e6))).toBeCloseTo(6.5e6)
    expect(BASE + timeAt(shifted, 200)).toBe(BASE + 5e6)
  })
})
