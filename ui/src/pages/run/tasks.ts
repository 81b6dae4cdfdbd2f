/** The list of tasks: a row for each name and, of those that are unfolded, a row for each run, what went wrong first. */
import { familyOf, STATE_NAMES, WORST_FIRST } from '@/lib/states'
import type { TimelineData } from '@/viz/timeline/data'
import type { TaskGroup } from './useRun'

/** Half of the ended runs of a task took no longer than `p50` seconds, none longer than `max`. */
export interface Durations {
  p50: number
  max: number
}

/** A row of the list. `row` is the row of the timeline. */
export type ListRow = { kind: 'group'; group: TaskGroup } | { kind: 'run'; group: TaskGroup; row: number }

const RANK = Uint8Array.from(STATE_NAMES, (state) => WORST_FIRST.indexOf(familyOf(state)))
const FAILED = new Set(['failed', 'crashed'])

/** How many runs of a task failed or crashed. */
export function failuresOf(group: TaskGroup): number {
  return (group.states.failed ?? 0) + (group.states.crashed ?? 0)
}

/** The key of a group; a task and a flow may have the same name. */
export function keyOf(group: { kind: string; name: string }): string {
  return group.kind === 'flow' ? `flow:${group.name}` : group.name
}

/** The rows of each group in the timeline, by key. Cost: one look at each row. */
export function membersOf(data: TimelineData): Map<string, number[]> {
  const members = data.groups.map((): number[] => [])
  for (let row = 0; row < data.count; row++) members[data.columns.group[row]!]!.push(row)
  return new Map(data.groups.map((group, number) => [keyOf(group), members[number]!]))
}

/** The runs of one group, what went wrong first, else in the order in which they were called. */
export function ordered(data: TimelineData, members: readonly number[], isFailedOnly: boolean): number[] {
  const { state } = data.columns
  const byRank = WORST_FIRST.map((): number[] => [])
  for (const row of members) {
    if (!isFailedOnly || FAILED.has(STATE_NAMES[state[row]!] ?? '')) byRank[RANK[state[row]!] ?? 0]!.push(row)
  }
  return byRank.flat()
}

/** How long the ended runs of a group took; null when none has. */
export function durationsOf(data: TimelineData, members: readonly number[]): Durations | null {
  const { start, end } = data.columns
  const all = new Float64Array(members.length)
  let count = 0
  for (const row of members) {
    const length = end[row]! - start[row]!
    if (!Number.isNaN(length)) all[count++] = length
  }
  if (!count) return null
  const sorted = all.subarray(0, count).sort()
  return { p50: sorted[(count - 1) >> 1]! / 1e6, max: sorted[count - 1]! / 1e6 }
}

/** All rows that the list has now. */
export function listOf(
  groups: readonly TaskGroup[],
  data: TimelineData,
  members: ReadonlyMap<string, readonly number[]>,
  opened: ReadonlySet<string>,
  isFailedOnly: boolean,
): ListRow[] {
  const list: ListRow[] = []
  for (const group of groups) {
    if (isFailedOnly && !failuresOf(group)) continue
    list.push({ kind: 'group', group })
    if (!isFailedOnly && !opened.has(keyOf(group))) continue
    for (const row of ordered(data, members.get(keyOf(group)) ?? [], isFailedOnly))
      list.push({ kind: 'run', group, row })
  }
  return list
}
