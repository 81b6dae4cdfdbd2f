import { describe, expect, it } from 'vitest'
import { random } from '../../graph/tests/shapes'
import { moveCursor } from '../cursor'
import { FAMILIES } from '../family'
import { FirstFit, planTracks } from '../tracks'
import { dataOf, type SampleRow } from './sample'

/** Bars as text, lane by lane: `0-4 6-9 / 2-8`. */
function lanesOf(rows: SampleRow[], only?: 'failed'): string[] {
  const data = dataOf(rows)
  return planTracks(data, only).tracks.map((track) => {
    const lanes: string[] = []
    for (let lane = 0; lane < track.lanes; lane++) {
      const bars: string[] = []
      for (let at = track.laneAt[lane]!; at < track.laneAt[lane + 1]!; at++) {
        bars.push(`${track.from[at]}-${track.until[at] === Number.POSITIVE_INFINITY ? '' : track.until[at]}`)
      }
      lanes.push(bars.join(' '))
    }
    return `${track.name}: ${lanes.join(' / ')}`
  })
}

function bars(name: string, spans: string, first = 1): SampleRow[] {
  return spans.split(' ').map((span, at) => {
    const [start, end] = span.split('-')
    const isOpen = end === ''
    return {
      seq: first + at,
      name,
      index: at,
      start: Number(start),
      ...(isOpen ? { state: 'running' } : { end: Number(end) }),
    }
  })
}

describe('lanes', () => {
  it('puts each run on the lowest lane that is free', () => {
    expect(lanesOf(bars('t', '0-4 1-3 2-8 3-5 4-6 9-10'))).toEqual(['t: 0-4 4-6 9-10 / 1-3 3-5 / 2-8'])
  })

  it('sorts by start whatever the order of creation', () => {
    expect(lanesOf(bars('t', '5-9 0-4'))).toEqual(['t: 0-4 5-9'])
  })

  it('keeps the lane of a run that has not ended', () => {
    expect(lanesOf(bars('t', '0- 1-2 3-4'))).toEqual(['t: 0- / 1-2 3-4'])
  })

  it('makes a track for each task, in the order in which they were first created', () => {
    expect(lanesOf([...bars('late', '0-1', 10), ...bars('early', '5-6', 1)])).toEqual(['early: 5-6', 'late: 0-1'])
  })

  it('never lets two runs of a lane overlap, and needs as many lanes as ran at once', () => {
    const next = random(3)
    const rows = Array.from({ length: 2000 }, (_, at) => {
      const start = Math.floor(next() * 10_000)
      return { seq: at + 1, name: 't', start, end: start + 1 + Math.floor(next() * 300) }
    })
    const [track] = planTracks(dataOf(rows)).tracks
    for (let lane = 0; lane < track!.lanes; lane++) {
      for (let at = track!.laneAt[lane]! + 1; at < track!.laneAt[lane + 1]!; at++) {
        expect(track!.from[at]!).toBeGreaterThanOrEqual(track!.until[at - 1]!)
      }
    }
    const most = Math.max(
      ...rows.map(({ start }) => rows.filter((row) => row.start <= start && row.end > start).length),
    )
    expect(track!.lanes).toBe(most)
  })

  it('finds the lowest of many free lanes', () => {
    const fit = new FirstFit()
    for (let lane = 0; lane < 100; lane++) expect(fit.place(0, lane === 37 || lane === 61 ? 5 : 9)).toBe(lane)
    expect([fit.place(5, 9), fit.place(5, 9), fit.place(5, 9)]).toEqual([37, 61, 100])
  })
})

describe('tracks', () => {
  const rows: SampleRow[] = [
    ...bars('map', '0-4 1-3'),
    { seq: 3, name: 'map', created: 2, state: 'scheduled', attempts: 0 },
    { seq: 4, name: 'map', created: 1, start: 2, end: 3, state: 'failed' },
    { seq: 5, name: 'map', created: 0, start: 2, state: 'scheduled', attempts: 1 },
    { seq: 6, name: 'after', created: 0, end: 7, state: 'skipped', attempts: 0 },
    { seq: 7, name: 'last', created: 5, state: 'pending', attempts: 0 },
  ]
  const count = (counts: Int32Array) =>
    Object.fromEntries(FAMILIES.map((family, at) => [family, counts[at]]).filter(([, each]) => each))

  it('counts states; what waits for its next attempt wants attention', () => {
    const [map, after, last] = planTracks(dataOf(rows)).tracks
    expect(count(map!.counts)).toEqual({ success: 2, waiting: 1, failed: 1, attention: 1 })
    expect([map!.total, map!.waiting, map!.waitsSince]).toEqual([5, 1, 2])
    expect([after!.lanes, after!.from[0], after!.until[0]]).toEqual([1, 7, 7])
    expect([last!.lanes, last!.waiting, last!.waitsSince]).toEqual([0, 1, 5])
  })

  it('shows failed ones only', () => {
    expect(lanesOf(rows, 'failed')).toEqual(['map: 2-3'])
  })

  it('spans from the first creation to the last end', () => {
    const plan = planTracks(dataOf(rows))
    expect([plan.first, plan.last, plan.isRunning]).toEqual([0, 7, true])
  })
})

describe('the cursor', () => {
  const data = dataOf([...bars('a', '0-4 5-9'), ...bars('b', '1-3 2-6 7-8', 3)])
  const plan = planTracks(data)
  const walk = (row: number, ...moves: Parameters<typeof moveCursor>[3][]) =>
    moves.reduce((at, move) => moveCursor(data, plan, at, move), row)

  it('begins at the first run', () => {
    expect(walk(-1, 'right')).toBe(0)
  })

  it('moves along a lane and stops at its ends', () => {
    expect(walk(0, 'right')).toBe(1)
    expect(walk(0, 'right', 'right')).toBe(1)
    expect(walk(1, 'first')).toBe(0)
    expect(walk(0, 'last')).toBe(1)
  })

  it('moves to the nearest run of the lane above or below, over tracks too', () => {
    expect(walk(0, 'down')).toBe(2)
    expect(walk(0, 'down', 'down')).toBe(3)
    expect(walk(3, 'down')).toBe(3)
    expect(walk(1, 'down')).toBe(4)
    expect(walk(2, 'up')).toBe(0)
  })
})
