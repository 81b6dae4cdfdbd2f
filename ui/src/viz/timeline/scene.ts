/** All that is needed to draw the timeline once, and where things lie on the screen. */

import type { Palette } from '../palette'
import type { TimelineData } from './data'
import { familyOfRow, isFailure } from './family'
import { drawnUntil, FAILURE_MARK, firstAfter, shownUntil } from './pixels'
import { drawnFrom, type Plan, type Track } from './tracks'
import { type Arrangement, type Row, type Span, trackAt } from './view'

/** Height of the axis below the tracks. */
export const AXIS = 28
/** Space above the first track. */
export const HEAD = 4
/** Below this width the names stand above their tracks. */
export const NARROW = 640

export interface Scene {
  data: TimelineData
  plan: Plan
  arrangement: Arrangement
  span: Span
  /** µs since the data's base. */
  now: number
  isLive: boolean
  zone: string
  palette: Palette
  /** CSS pixels, the axis included. */
  width: number
  height: number
  /** Width of the names at the left; 0: they stand above their tracks. */
  labels: number
  /** How far the tracks are scrolled. */
  scroll: number
  /** Device pixels per CSS pixel. */
  ratio: number
  /** Where the axis has its labels: `[left, right]` of each. */
  axisLabels: [number, number][]
}

export function labelWidth(width: number): number {
  if (width < NARROW) return 0
  return Math.min(224, Math.round(width * 0.2))
}

export function plotWidth(scene: Scene): number {
  return Math.max(1, scene.width - scene.labels)
}

export function xOf(scene: Scene, time: number): number {
  return scene.labels + ((time - scene.span.from) * plotWidth(scene)) / (scene.span.to - scene.span.from)
}

export function timeAt(scene: Scene, x: number): number {
  return scene.span.from + ((x - scene.labels) * (scene.span.to - scene.span.from)) / plotWidth(scene)
}

/** The place of a track's row on the screen: its top after scrolling. */
export function topOf(scene: Scene, row: Row): number {
  return HEAD + row.top - scene.scroll
}

export interface Box {
  left: number
  right: number
  top: number
  bottom: number
}

/** Where a row is drawn; undefined when it is drawn nowhere. */
export function boxOf(scene: Scene, row: number): Box | undefined {
  const { plan, data, arrangement } = scene
  const lane = plan.laneOf[row] ?? -1
  const track = plan.trackOfGroup[data.columns.group[row]!] ?? -1
  if (lane < 0 || track < 0) return undefined
  const place = arrangement.rows[track]!
  const left = xOf(scene, drawnFrom(data, row))
  const right = Math.max(xOf(scene, drawnUntil(data, row, scene.now)), left + 2)
  const offset = HEAD - scene.scroll + place.laneTop
  if (place.pitch === 0) {
    // In a density only the mark of a failure is a place of its own.
    const bottom = offset + place.lanesHeight
    const mark = isFailure(familyOfRow(data, row)) ? bottom - 2 * FAILURE_MARK : offset
    return { left: Math.max(left, right - 3), right, top: mark, bottom }
  }
  return { left, right, top: offset + lane * place.pitch, bottom: offset + (lane + 1) * place.pitch }
}

export interface Hit {
  /** Index into the plan's tracks, −1: beside all. */
  track: number
  /** −1: no row is there. */
  row: number
}

/** How near to a bar the pointer may be, in pixels. */
const NEAR = 3
/** So many rows under one pointer are looked through for the worst. */
const MANY = 4000

/** What is at a point. Cost: binary searches, and the rows within a few pixels. */
export function hitAt(scene: Scene, x: number, y: number): Hit {
  const { arrangement, plan } = scene
  const track = y < scene.height - AXIS ? trackAt(arrangement, y - HEAD + scene.scroll) : -1
  if (track < 0 || x < scene.labels) return { track, row: -1 }
  const place = arrangement.rows[track]!
  const inner = y - HEAD + scene.scroll - place.laneTop
  const near = (NEAR * (scene.span.to - scene.span.from)) / plotWidth(scene)
  const time = timeAt(scene, x)
  if (inner < 0 || inner >= place.lanesHeight) return { track, row: -1 }
  if (place.pitch === 0) return { track, row: failureNear(scene, plan.tracks[track]!, time, near) }
  const lane = Math.min(plan.tracks[track]!.lanes - 1, Math.floor(inner / place.pitch))
  return { track, row: worstNear(plan.tracks[track]!, lane, time, near, scene.now) }
}

function worstNear(track: Track, lane: number, time: number, near: number, now: number): number {
  let best = -1
  let bestFamily = -1
  let bestGap = Number.POSITIVE_INFINITY
  const first = firstAfter(track, lane, time - near)
  const end = Math.min(track.laneAt[lane + 1]!, first + MANY)
  for (let at = first; at < end; at++) {
    const from = track.from[at]!
    if (from > time + near) break
    const gap = Math.max(0, from - time, time - shownUntil(track, at, now))
    // What runs ends at the present on the screen.
    if (gap > near) continue
    const family = track.family[at]!
    // A failure is found from a few pixels away; otherwise what is right under the pointer comes first.
    const isBetter = isFailure(family) || isFailure(bestFamily) ? family > bestFamily : gap < bestGap
    if (best < 0 || isBetter) {
      best = track.rows[at]!
      bestFamily = family
      bestGap = gap
    }
  }
  return best
}

/** In a density no single row can be seen but the marks of the failed ones. */
function failureNear(scene: Scene, track: Track, time: number, near: number): number {
  let best = -1
  let gap = near
  for (let at = 0; at < track.rows.length; at++) {
    if (!isFailure(track.family[at]!)) continue
    const distance = Math.abs(shownUntil(track, at, scene.now) - time)
    if (distance <= gap) {
      best = track.rows[at]!
      gap = distance
    }
  }
  return best
}
