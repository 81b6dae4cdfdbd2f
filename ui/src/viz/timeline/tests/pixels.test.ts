import { describe, expect, it } from 'vitest'
import { FAMILIES } from '../family'
import { measure, type Picture, paintDensity, paintLanes } from '../pixels'
import { planTracks } from '../tracks'
import { dataOf, type SampleRow } from './sample'

// Pixels as letters: the first of the family's name, '.' for none; cancelled is x.
const LETTERS = FAMILIES.map((family) => (family === 'cancelled' ? 'x' : family === 'crashed' ? 'C' : family[0]!))
const COLOURS = Uint32Array.from(FAMILIES, (_, family) => family + 1)

function picture(width: number, height: number): Picture {
  return { pixels: new Uint32Array(width * height), width, height }
}

function text({ pixels, width, height }: Picture): string[] {
  return Array.from({ length: height }, (_, y) =>
    Array.from(pixels.subarray(y * width, (y + 1) * width), (pixel) => (pixel ? LETTERS[pixel - 1] : '.')).join(''),
  )
}

/** Draw rows in pixels of one µs. */
function lanes(
  rows: SampleRow[],
  { width = 12, height = 4, top = 0, pitch = 2, now = 100, from = 0, perPixel = 1 } = {},
) {
  const result = picture(width, height)
  const [track] = planTracks(dataOf(rows)).tracks
  paintLanes(result, track!, top, pitch, { from, to: from + width * perPixel }, now, COLOURS)
  return text(result)
}

describe('lanes of pixels', () => {
  it('draws each lane as one line, copied down', () => {
    const rows = [
      { seq: 1, name: 't', start: 0, end: 3 },
      { seq: 2, name: 't', start: 4, end: 5, state: 'cancelled' },
      { seq: 3, name: 't', start: 1, end: 4 },
    ]
    expect(lanes(rows)).toEqual(['sss.x.......', 'sss.x.......', '.sss........', '.sss........'])
  })

  it('leaves a gap between lanes that are high enough', () => {
    const rows = [
      { seq: 1, name: 't', start: 0, end: 2 },
      { seq: 2, name: 't', start: 0, end: 2 },
    ]
    expect(lanes(rows, { width: 3, height: 6, pitch: 3 })).toEqual(['ss.', 'ss.', '...', 'ss.', 'ss.', '...'])
  })

  it('lets the worst win a pixel that several share', () => {
    const rows = [
      { seq: 1, name: 't', start: 0, end: 10 },
      { seq: 2, name: 't', start: 10, end: 19, state: 'cancelled' },
      { seq: 3, name: 't', start: 19, end: 30 },
      { seq: 4, name: 't', start: 30, end: 31, state: 'crashed' },
      { seq: 5, name: 't', start: 31, end: 32, state: 'failed' },
      { seq: 6, name: 't', start: 32, end: 120 },
    ]
    expect(lanes(rows, { height: 1, pitch: 1, perPixel: 20 })).toEqual(['xfffs.......'])
  })

  it('never draws a failure narrower than three pixels', () => {
    const rows = [
      { seq: 1, name: 't', start: 2, end: 2.1, state: 'failed' },
      { seq: 2, name: 't', start: 7, end: 7.1 },
    ]
    expect(lanes(rows, { height: 1, pitch: 1 })).toEqual(['..fff..s....'])
  })

  it('shows the rest of a failure that ended just before the view', () => {
    const rows = [{ seq: 1, name: 't', start: 9, end: 9.5, state: 'failed' }]
    expect(lanes(rows, { from: 10, height: 1, pitch: 1 })).toEqual(['ff..........'])
  })

  it('lets what runs reach to the present', () => {
    expect(lanes([{ seq: 1, name: 't', start: 2, state: 'running' }], { height: 1, pitch: 1, now: 6 })).toEqual([
      '..rrrr......',
    ])
  })

  it('keeps long neighbours that touch apart', () => {
    const rows = [
      { seq: 1, name: 't', start: 0, end: 6 },
      { seq: 2, name: 't', start: 6, end: 12 },
    ]
    expect(lanes(rows, { height: 1, pitch: 1 })).toEqual(['sssss.sssss.'])
  })

  it('draws nothing outside the picture when it is scrolled', () => {
    const rows = [0, 1, 2, 3].map((at) => ({ seq: at + 1, name: 't', start: at, end: 9 }))
    expect(lanes(rows, { height: 3, top: -3, width: 4, pitch: 2 })).toEqual(['.sss', '..ss', '..ss'])
  })
})

describe('density', () => {
  const rows: SampleRow[] = [
    { seq: 1, name: 't', start: 0, end: 40 },
    { seq: 2, name: 't', start: 0, end: 20 },
    { seq: 3, name: 't', start: 10, end: 20, state: 'cancelled' },
  ]
  const plan = planTracks(dataOf(rows))

  it('counts how many were under way, in parts of a pixel', () => {
    const { share } = measure(plan.tracks, { from: 0, to: 60 }, 100, 4)
    const of = (family: string) => [...share.subarray(FAMILIES.indexOf(family as never) * 4)].slice(0, 4)
    const rounded = (values: number[]) => values.map((value) => Math.round(value * 1000) / 1000)
    // Pixels of 15 µs: the second one is left after a third of it, the third begins in the middle of the first.
    expect(rounded(of('success'))).toEqual([2, 1.333, 0.667, 0])
    expect(rounded(of('cancelled'))).toEqual([0.333, 0.333, 0, 0])
  })

  it('draws an area as high as that, the worst at the bottom', () => {
    const result = picture(6, 4)
    paintDensity(result, measure(plan.tracks, { from: 0, to: 60 }, 100, 6), 0, 4, 4, COLOURS)
    expect(text(result)).toEqual(['......', '.s....', 'ss....', 'sxss..'])
  })

  it('marks where something failed, over three pixels', () => {
    const failed = planTracks(dataOf([{ seq: 1, name: 't', start: 24, end: 25, state: 'failed' }]))
    const result = picture(6, 6)
    paintDensity(result, measure(failed.tracks, { from: 0, to: 60 }, 100, 6), 0, 6, 50, COLOURS)
    expect(text(result)).toEqual(['......', '......', '.fff..', '.fff..', '.fff..', '.fff..'])
  })
})
