/** Moves of the keyboard's cursor from row to row. */

import type { TimelineData } from './data'
import { firstAfter } from './pixels'
import { drawnFrom, type Plan } from './tracks'

export type Move = 'left' | 'right' | 'up' | 'down' | 'first' | 'last'

/** The row to which a move leads; the same when there is none further, −1 when nothing is drawn. */
export function moveCursor(data: TimelineData, plan: Plan, row: number, move: Move): number {
  const number = row < 0 ? -1 : (plan.trackOfGroup[data.columns.group[row]!] ?? -1)
  const lane = row < 0 ? -1 : (plan.laneOf[row] ?? -1)
  if (number < 0 || lane < 0) return plan.tracks.find((track) => track.rows.length > 0)?.rows[0] ?? -1
  const track = plan.tracks[number]!
  const begin = track.laneAt[lane]!
  const end = track.laneAt[lane + 1]!
  if (move === 'up' || move === 'down') return otherLane(data, plan, number, lane, row, move === 'up' ? -1 : 1)
  if (move === 'first') return track.rows[begin]!
  if (move === 'last') return track.rows[end - 1]!
  const at = track.rows.indexOf(row, begin)
  const next = Math.min(Math.max(at + (move === 'left' ? -1 : 1), begin), end - 1)
  return track.rows[next]!
}

/** The row of the next lane, or of the next track with any, that is nearest in time. */
function otherLane(data: TimelineData, plan: Plan, number: number, lane: number, row: number, step: 1 | -1): number {
  let track = plan.tracks[number]!
  let next = lane + step
  for (let other = number; next < 0 || next >= track.lanes; ) {
    other += step
    if (other < 0 || other >= plan.tracks.length) return row
    track = plan.tracks[other]!
    next = step > 0 ? 0 : track.lanes - 1
  }
  const time = drawnFrom(data, row)
  const end = track.laneAt[next + 1]!
  const at = firstAfter(track, next, time)
  if (at >= end) return track.rows[end - 1]!
  const before = Math.max(at - 1, track.laneAt[next]!)
  const isNearer = track.from[at]! > time && time - track.until[before]! < track.from[at]! - time
  return track.rows[isNearer ? before : at]!
}
