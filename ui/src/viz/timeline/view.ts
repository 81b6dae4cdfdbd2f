/** What part of the timeline is looked at: pure arithmetic of fit, pan and zoom, and the heights of the tracks. */

import type { Plan } from './tracks'

/** Both µs since the data's base. */
export interface Span {
  from: number
  to: number
}

/** The closest look: so many µs over the whole width. */
const NARROWEST = 100

/** Everything there is, with a margin in pixels at either end. */
export function fitSpan(plan: Plan, now: number, isLive: boolean, width: number): Span {
  const reachesNow = isLive || plan.isRunning
  let from = plan.first
  let to = reachesNow ? Math.max(plan.last, now) : plan.last
  if (!Number.isFinite(from)) from = now - 1e6
  if (!(to > from)) to = from + 1e6
  // While it runs the word "now" stands to the right of its line.
  const right = isLive ? 48 : 16
  const perPixel = (to - from) / Math.max(50, width - 8 - right)
  return { from: from - 8 * perPixel, to: to + right * perPixel }
}

/** Keep a span within what can be looked at: never empty, never wider than twice the whole, never off it. */
export function clampSpan(span: Span, whole: Span): Span {
  const widest = (whole.to - whole.from) * 2
  const width = Math.min(Math.max(span.to - span.from, NARROWEST), widest)
  const middle = (span.from + span.to) / 2
  let from = middle - width / 2
  // At least a tenth of the view shows something.
  from = Math.max(from, whole.from - width * 0.9)
  from = Math.min(from, whole.to - width * 0.1)
  return { from, to: from + width }
}

/** Zoom by `factor` (below 1: closer) so that the moment `anchor` stays under the pointer. */
export function zoomSpan(span: Span, anchor: number, factor: number, whole: Span): Span {
  const width = (whole.to - whole.from) * 2
  const bounded = Math.min(Math.max(factor, NARROWEST / (span.to - span.from)), width / (span.to - span.from))
  return clampSpan({ from: anchor - (anchor - span.from) * bounded, to: anchor + (span.to - anchor) * bounded }, whole)
}

export function panSpan(span: Span, by: number, whole: Span): Span {
  return clampSpan({ from: span.from + by, to: span.to + by }, whole)
}

export interface Row {
  top: number
  height: number
  /** Where the first lane begins. */
  laneTop: number
  /** From one lane to the next; 0: too many lanes, drawn as a density. */
  pitch: number
  /** Height of all lanes together. */
  lanesHeight: number
}

export interface Arrangement {
  rows: Row[]
  height: number
}

const PAD = 6
const COMFORTABLE = 18
const FEW_LANES = 6
/** A track of many lanes is never lower. */
const LOWEST = 96

/**
 * Give every track its height.
 *
 * Tracks of few lanes get comfortable ones. What is left of the budget is shared by those of many lanes, at one
 * pitch for all; where it comes to less than a pixel a lane the track is a density. What does not fit scrolls.
 */
export function arrange(plan: Plan, budget: number, isNarrow: boolean): Arrangement {
  // On a narrow screen the name stands above its track, not beside it.
  const head = isNarrow ? 18 : 0
  const small = isNarrow ? 44 : 32
  const comfortable = (lanes: number) => Math.max(small, head + lanes * COMFORTABLE + 2 * PAD)
  const many = plan.tracks.filter((track) => track.lanes > FEW_LANES)
  const fixed = plan.tracks
    .filter((track) => track.lanes <= FEW_LANES)
    .reduce((sum, track) => sum + comfortable(track.lanes), 0)
  const lanes = many.reduce((sum, track) => sum + track.lanes, 0)
  const share = Math.max(budget - fixed, many.length * (LOWEST + head)) - many.length * (head + 2 * PAD)
  const pitch = Math.min(COMFORTABLE, Math.floor(share / Math.max(1, lanes)))
  // Below a pixel a lane the widest must not starve the others: shares go by the root of the lanes.
  const roots = many.reduce((sum, track) => sum + Math.sqrt(track.lanes), 0)

  const rows: Row[] = []
  let top = 0
  for (const track of plan.tracks) {
    const row = { top, height: comfortable(track.lanes), laneTop: 0, pitch: COMFORTABLE, lanesHeight: 0 }
    if (track.lanes > FEW_LANES) {
      const own = pitch >= 1 ? pitch * track.lanes : Math.floor((share * Math.sqrt(track.lanes)) / roots)
      row.pitch = Math.min(COMFORTABLE, Math.floor(own / track.lanes))
      row.lanesHeight = row.pitch > 0 ? row.pitch * track.lanes : own
      row.height = Math.max(small, head + row.lanesHeight + 2 * PAD)
    } else {
      row.lanesHeight = track.lanes * COMFORTABLE
    }
    // A single lane stands in the middle of its row, beside its name.
    row.laneTop = top + head + Math.floor((row.height - head - row.lanesHeight) / 2)
    rows.push(row)
    top += row.height
  }
  return { rows, height: top }
}

/** The track at a height, −1 above or below all. */
export function trackAt(arrangement: Arrangement, y: number): number {
  const { rows } = arrangement
  let low = 0
  let high = rows.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (rows[middle]!.top + rows[middle]!.height <= y) low = middle + 1
    else high = middle
  }
  return low < rows.length && rows[low]!.top <= y ? low : -1
}
