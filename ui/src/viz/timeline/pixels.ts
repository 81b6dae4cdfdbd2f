/**
 * Levels of detail that write pixels instead of drawing shapes: 100,000 rows in a few milliseconds.
 *
 * A picture is rows of 32-bit pixels as in ImageData, 0 is transparent. In a pixel that several rows share, the worst
 * family wins: one failure among a hundred thousand stays to be seen.
 */

import type { TimelineData } from './data'
import { FAMILY_COUNT, isFailure } from './family'
import { drawnFrom, type Track } from './tracks'
import type { Span } from './view'

export interface Picture {
  pixels: Uint32Array
  width: number
  height: number
}

/** Failures are never narrower. */
export const FAILURE_WIDTH = 3

/** The height of a bar in a lane: lanes keep a gap as long as there is room for one. */
export function barHeight(pitch: number): number {
  if (pitch >= 14) return pitch - 4
  if (pitch >= 7) return pitch - 2
  return pitch >= 3 ? pitch - 1 : pitch
}

/** When a row ends on the screen: now if it has not ended. */
export function drawnUntil(data: TimelineData, row: number, now: number): number {
  const end = data.columns.end[row]!
  if (!Number.isNaN(end)) return end
  return Math.max(now, drawnFrom(data, row))
}

/** Where the row at a place of a track ends on the screen: now if it has not ended. */
export function shownUntil(track: Track, at: number, now: number): number {
  const until = track.until[at]!
  return until === Number.POSITIVE_INFINITY ? Math.max(now, track.from[at]!) : until
}

/** The place of the first of a lane's rows that is not over before `time`. They do not overlap: their ends grow too. */
export function firstAfter(track: Track, lane: number, time: number): number {
  return firstOf(track.until, track.laneAt[lane]!, track.laneAt[lane + 1]!, time)
}

/** The place after the last of a lane's rows that begins before `time`. */
export function lastBefore(track: Track, lane: number, time: number): number {
  return firstOf(track.from, track.laneAt[lane]!, track.laneAt[lane + 1]!, time)
}

function firstOf(sorted: Float64Array, begin: number, end: number, atLeast: number): number {
  let low = begin
  let high = end
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < atLeast) low = middle + 1
    else high = middle
  }
  return low
}

const scratch = { worst: new Uint8Array(0) }

/**
 * Draw a track's lanes: of each one line of pixels, copied down the lane.
 *
 * Args: `top`: the first lane's place in the picture, may lie outside; `colours`: a pixel for each family.
 */
export function paintLanes(
  picture: Picture,
  track: Track,
  top: number,
  pitch: number,
  span: Span,
  now: number,
  colours: Uint32Array,
): void {
  const { pixels, width, height } = picture
  if (scratch.worst.length < width) scratch.worst = new Uint8Array(width)
  const worst = scratch.worst
  const thick = barHeight(pitch)
  const scale = width / (span.to - span.from)
  // A bar that ended just before the view may still reach into it with its least width.
  const since = span.from - FAILURE_WIDTH / scale
  for (let lane = Math.max(0, Math.floor(-top / pitch)); lane < track.lanes; lane++) {
    const y = top + lane * pitch
    if (y >= height) break
    worst.fill(0, 0, width)
    const end = track.laneAt[lane + 1]!
    for (let at = firstAfter(track, lane, since); at < end; at++) {
      const from = track.from[at]!
      if (from >= span.to) break
      const family = track.family[at]!
      const left = Math.floor((from - span.from) * scale)
      let right = Math.floor((shownUntil(track, at, now) - span.from) * scale)
      // Neighbours that touch stay apart when there is a pixel to spare.
      if (right - left > 4) right--
      right = Math.min(width, Math.max(right, left + (isFailure(family) ? FAILURE_WIDTH : 1)))
      const mark = family + 1
      for (let x = Math.max(0, left); x < right; x++) if (worst[x]! < mark) worst[x] = mark
    }
    const first = Math.max(0, y)
    const last = Math.min(height, y + thick)
    if (last <= first) continue
    const line = first * width
    for (let x = 0; x < width; x++) if (worst[x]! > 0) pixels[line + x] = colours[worst[x]! - 1]!
    for (let copy = first + 1; copy < last; copy++) pixels.copyWithin(copy * width, line, line + width)
  }
}

export interface Density {
  /** For each family and column the mean number of rows under way: `[family * width + x]`. */
  share: Float32Array
  /** The worst family that failed in or just before a column, 0: none. */
  failed: Uint8Array
  width: number
}

/** Count how many rows of each family were under way in each column of pixels. Cost: one pass over the rows. */
export function measure(tracks: Track[], span: Span, now: number, width: number): Density {
  const stride = width + 2
  const change = new Float64Array(FAMILY_COUNT * stride)
  const failed = new Uint8Array(width)
  const scale = width / (span.to - span.from)
  const step = (base: number, time: number, by: number) => {
    const x = Math.min(Math.max((time - span.from) * scale, 0), width)
    const column = Math.floor(x)
    const part = x - column
    change[base + column]! += by * (1 - part)
    change[base + column + 1]! += by * part
  }
  for (const track of tracks) {
    for (let at = 0; at < track.rows.length; at++) {
      const from = track.from[at]!
      const until = shownUntil(track, at, now)
      if (from >= span.to || until < span.from) continue
      const family = track.family[at]!
      step(family * stride, from, 1)
      step(family * stride, until, -1)
      if (isFailure(family)) {
        const x = Math.floor((until - span.from) * scale)
        for (let mark = Math.max(0, x - 1); mark < Math.min(width, x + 2); mark++) {
          failed[mark] = Math.max(failed[mark]!, family)
        }
      }
    }
  }
  const share = new Float32Array(FAMILY_COUNT * width)
  for (let family = 0; family < FAMILY_COUNT; family++) {
    let sum = 0
    for (let x = 0; x < width; x++) {
      sum += change[family * stride + x]!
      share[family * width + x] = sum
    }
  }
  return { share, failed, width }
}

/** How high the mark of a failure stands in a density. */
export const FAILURE_MARK = 4

/**
 * Draw a density: an area as high as rows were under way, striped by family, the worst at the bottom.
 *
 * Args: `full`: how many rows fill the whole height.
 */
export function paintDensity(
  picture: Picture,
  density: Density,
  top: number,
  tall: number,
  full: number,
  colours: Uint32Array,
): void {
  const { pixels, width, height } = picture
  const bottom = top + tall
  for (let x = 0; x < Math.min(width, density.width); x++) {
    let sum = 0
    let y = bottom
    for (let family = FAMILY_COUNT - 1; family >= 0; family--) {
      const rows = density.share[family * density.width + x]!
      if (rows < 1e-6) continue
      sum += rows
      // Something that is there is at least a pixel high.
      const until = Math.min(y - 1, bottom - Math.round((sum / full) * tall))
      for (; y > until && y > top; y--) {
        if (y <= height && y > 0) pixels[(y - 1) * width + x] = colours[family]!
      }
    }
    const mark = density.failed[x]!
    if (mark === 0) continue
    for (let line = Math.max(0, bottom - FAILURE_MARK); line < Math.min(height, bottom); line++) {
      pixels[line * width + x] = colours[mark]!
    }
  }
}
