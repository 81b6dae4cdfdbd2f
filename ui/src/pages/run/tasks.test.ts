import { describe, expect, it } from 'vitest'
import { STATE_NAMES } from '@/lib/states'
import { type Frame, TimelineData } from '@/viz/timeline/data'
import { durationsOf, keyOf, listOf, membersOf, ordered } from './tasks'
import type { TaskGroup } from './useRun'

type Given = [group: number, state: string, start: number, end: number]

/** A timeline of a task and a flow that have the same name, and of another task. */
function timeline(rows: Given[]): TimelineData {
  const frame: Frame = {
    count: rows.length,
    groups: [
      { kind: 'task', name: 'clean' },
      { kind: 'flow', name: 'clean' },
      { kind: 'task', name: 'load' },
    ],
    base: 0,
    now: 0,
    maxSeq: rows.length,
    columns: {
      seq: Float64Array.from(rows, (_, place) => place + 1),
      start: Float64Array.from(rows, (row) => row[2]),
      end: Float64Array.from(rows, (row) => row[3]),
      created: new Float64Array(rows.length),
      index: new Int32Array(rows.length).fill(-1),
      group: Uint16Array.from(rows, (row) => row[0]),
      state: Uint8Array.from(rows, (row) => STATE_NAMES.indexOf(row[1])),
      kind: Uint8Array.from(rows, (row) => (row[0] === 1 ? 1 : 0)),
      attempts: new Uint8Array(rows.length).fill(1),
    },
  }
  const data = new TimelineData()
  data.apply(frame)
  return data
}

const S = 1_000_000
const data = timeline([
  [0, 'completed', 0, 2 * S],
  [0, 'running', 1 * S, Number.NaN],
  [1, 'completed', 0, 9 * S],
  [0, 'failed', 0, 4 * S],
  [2, 'skipped', Number.NaN, 5 * S],
  [0, 'crashed', 0, 6 * S],
])
const group = (kind: 'task' | 'flow', name: string, states: Record<string, number>): TaskGroup => ({
  kind,
  name,
  states,
  started_at: null,
  ended_at: null,
})
const groups = [
  group('task', 'clean', { completed: 1, running: 1, failed: 1, crashed: 1 }),
  group('flow', 'clean', { completed: 1 }),
  group('task', 'load', { skipped: 1 }),
]
const members = membersOf(data)
const told = (opened: string[], isFailedOnly: boolean) =>
  listOf(groups, data, members, new Set(opened), isFailedOnly).map((row) =>
    row.kind === 'group' ? keyOf(row.group) : data.columns.seq[row.row],
  )

describe('the list of tasks', () => {
  it('keeps a task and a flow of one name apart', () => {
    expect(members.get('clean')).toEqual([0, 1, 3, 5])
    expect(members.get('flow:clean')).toEqual([2])
  })

  it('begins with what went wrong', () => {
    expect(ordered(data, members.get('clean')!, false)).toEqual([3, 5, 1, 0])
    expect(ordered(data, members.get('clean')!, true)).toEqual([3, 5])
  })

  it('shows the runs of what is unfolded, and only what failed when asked to', () => {
    expect(told([], false)).toEqual(['clean', 'flow:clean', 'load'])
    expect(told(['flow:clean'], false)).toEqual(['clean', 'flow:clean', 3, 'load'])
    expect(told([], true)).toEqual(['clean', 4, 6])
  })

  it('tells how long the runs took that began and ended', () => {
    expect(durationsOf(data, members.get('clean')!)).toEqual({ p50: 4, max: 6 })
    expect(durationsOf(data, members.get('load')!)).toBeNull()
  })
})
