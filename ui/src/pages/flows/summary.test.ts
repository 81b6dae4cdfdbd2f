import { describe, expect, it } from 'vitest'
import { type FlowRow, heightsOf, holdOrder, summarize } from './summary'

type Run = FlowRow['runs'][number]

const run = (state: string, duration_seconds: number | null = null, label: string | null = null): Run => ({
  id: state,
  name: state,
  state,
  label,
  started_at: null,
  created_at: '',
  duration_seconds,
})
const flow = (name: string): FlowRow => ({ name, last_run_at: null, run_count: 0, runs: [] })

describe('summarize', () => {
  it('counts only what has ended', () => {
    const runs = [run('running', 900), run('completed', 1), run('skipped', null), run('failed', 3), run('crashed', 2)]
    expect(summarize(runs)).toEqual({ share: 0.5, ended: 4, p50: 2 })
  })

  it('takes the middle of two, and none of none', () => {
    expect(summarize([run('completed', 1), run('completed', 2)]).p50).toBe(1.5)
    expect(summarize([run('running', 5)])).toEqual({ share: null, ended: 0, p50: null })
  })
})

describe('heightsOf', () => {
  it('measures by the longest, oldest first', () => {
    expect(heightsOf([run('running', 4), run('completed', 1), run('scheduled')])).toEqual([0, 0.25, 1])
    expect(heightsOf([run('scheduled')])).toEqual([0])
  })
})

describe('holdOrder', () => {
  it('keeps every row in its place and puts new ones last', () => {
    const rows = [flow('new'), flow('b'), flow('a')]
    expect(holdOrder(rows, ['a', 'b', 'gone']).map(({ name }) => name)).toEqual(['a', 'b', 'new'])
  })
})
