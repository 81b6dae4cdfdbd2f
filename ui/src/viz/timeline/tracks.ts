/** Tracks: which rows share a lane. One track a task or child flow, with as many lanes as it ran side by side. */

import type { TimelineData } from './data'
import { FAMILY_COUNT, familyOfRow, isFailure } from './family'

export interface Track {
  group: number
  kind: string
  name: string
  /** All its rows, in order. */
  members: number[]
  /** All rows that are drawn, lane after lane, in a lane by time. */
  rows: Int32Array
  /** When each of `rows` begins, ends (Infinity: not yet) and its family: side by side, as drawing goes through them. */
  from: Float64Array
  until: Float64Array
  family: Uint8Array
  /** Lane `l` is `rows[laneAt[l] .. laneAt[l + 1])`. */
  laneAt: Int32Array
  lanes: number
  /** All rows of the track, those that have not started as well. */
  total: number
  /** Number of rows by family. */
  counts: Int32Array
  /** Rows that have neither started nor ended. */
  waiting: number
  /** When the first of those waiting was created (µs since base); NaN: none waits. */
  waitsSince: number
}

export interface Plan {
  tracks: Track[]
  /** Lane of each row in its track, −1: not drawn. */
  laneOf: Int32Array
  /** Number of the track of each group, −1: none. */
  trackOfGroup: Int32Array
  /** Number of rows by family, over all tracks. */
  counts: Int32Array
  total: number
  lanes: number
  /** The first and the last moment with anything to draw (µs since base); an unfinished row reaches to `now`. */
  first: number
  last: number
  isRunning: boolean
}

/** Where a row is drawn from: its start, or its end if it ended without starting. NaN: nowhere yet. */
export function drawnFrom(data: TimelineData, row: number): number {
  const start = data.columns.start[row]!
  return Number.isNaN(start) ? data.columns.end[row]! : start
}

/** Put every row on a track and a lane. Cost: n log n once, near n when the rows come in the order they started. */
export function planTracks(data: TimelineData, only?: 'failed'): Plan {
  const { group } = data.columns
  const members: number[][] = data.groups.map(() => [])
  for (let row = 0; row < data.count; row++) {
    if (only === undefined || isFailure(familyOfRow(data, row))) members[group[row]!]!.push(row)
  }
  const order = data.groups.map((_, number) => number).filter((number) => members[number]!.length > 0)
  order.sort((a, b) => members[a]![0]! - members[b]![0]!)

  const plan: Plan = {
    tracks: [],
    laneOf: new Int32Array(data.count).fill(-1),
    trackOfGroup: new Int32Array(data.groups.length).fill(-1),
    counts: new Int32Array(FAMILY_COUNT),
    total: 0,
    lanes: 0,
    first: Number.POSITIVE_INFINITY,
    last: Number.NEGATIVE_INFINITY,
    isRunning: false,
  }
  for (const number of order) {
    const track = planTrack(data, number, members[number]!, plan)
    plan.trackOfGroup[number] = plan.tracks.length
    plan.tracks.push(track)
    plan.total += track.total
    plan.lanes += track.lanes
    for (let family = 0; family < FAMILY_COUNT; family++) plan.counts[family]! += track.counts[family]!
  }
  return plan
}

function planTrack(data: TimelineData, group: number, members: number[], plan: Plan): Track {
  const { end, created } = data.columns
  const counts = new Int32Array(FAMILY_COUNT)
  const drawn: number[] = []
  let waitsSince = Number.NaN
  for (const row of members) {
    counts[familyOfRow(data, row)]!++
    plan.first = Math.min(plan.first, created[row]!)
    if (Number.isNaN(end[row]!)) plan.isRunning = true
    else plan.last = Math.max(plan.last, end[row]!)
    const from = drawnFrom(data, row)
    if (!Number.isNaN(from)) {
      drawn.push(row)
      plan.last = Math.max(plan.last, from)
    } else if (!(waitsSince <= created[row]!)) waitsSince = created[row]!
  }
  drawn.sort((a, b) => drawnFrom(data, a) - drawnFrom(data, b) || a - b)

  const ends = new FirstFit()
  const sizes: number[] = []
  for (const row of drawn) {
    const lane = ends.place(drawnFrom(data, row), freeFrom(data, row))
    plan.laneOf[row] = lane
    sizes[lane] = (sizes[lane] ?? 0) + 1
  }
  const laneAt = new Int32Array(sizes.length + 1)
  for (let lane = 0; lane < sizes.length; lane++) laneAt[lane + 1] = laneAt[lane]! + sizes[lane]!
  const track: Track = {
    group,
    kind: data.groups[group]!.kind,
    name: data.groups[group]!.name,
    members,
    rows: new Int32Array(drawn.length),
    from: new Float64Array(drawn.length),
    until: new Float64Array(drawn.length),
    family: new Uint8Array(drawn.length),
    laneAt,
    lanes: sizes.length,
    total: members.length,
    counts,
    waiting: members.length - drawn.length,
    waitsSince,
  }
  const next = laneAt.slice()
  for (const row of drawn) {
    const at = next[plan.laneOf[row]!]!++
    track.rows[at] = row
    track.from[at] = drawnFrom(data, row)
    track.until[at] = freeFrom(data, row)
    track.family[at] = familyOfRow(data, row)
  }
  return track
}

/** When a row's lane is free again. */
function freeFrom(data: TimelineData, row: number): number {
  const end = data.columns.end[row]!
  return Number.isNaN(end) ? Number.POSITIVE_INFINITY : Math.max(end, drawnFrom(data, row))
}

/**
 * The lowest lane that is free at a time, found in log(lanes).
 *
 * A complete binary tree over the times at which the lanes become free; every inner node holds the smallest below it.
 */
export class FirstFit {
  private leaves = 4
  private tree = new Float64Array(8).fill(Number.NEGATIVE_INFINITY)

  /** Take the lowest lane free at `from`, until `until`; returns its number. */
  place(from: number, until: number): number {
    if (this.tree[1]! > from) this.double()
    let node = 1
    while (node < this.leaves) node = this.tree[2 * node]! <= from ? 2 * node : 2 * node + 1
    const lane = node - this.leaves
    this.tree[node] = until
    for (node >>= 1; node > 0; node >>= 1) {
      this.tree[node] = Math.min(this.tree[2 * node]!, this.tree[2 * node + 1]!)
    }
    return lane
  }

  private double(): void {
    const old = this.tree
    const width = this.leaves
    this.leaves *= 2
    this.tree = new Float64Array(2 * this.leaves).fill(Number.NEGATIVE_INFINITY)
    this.tree.set(old.subarray(width), this.leaves)
    for (let node = this.leaves - 1; node > 0; node--) {
      this.tree[node] = Math.min(this.tree[2 * node]!, this.tree[2 * node + 1]!)
    }
  }
}
