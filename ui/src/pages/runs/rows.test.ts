import { describe, expect, it } from 'vitest'
import { appendPage, mergeNews, type News, type RunList, type RunRow } from './rows'

function row(seq: number, state = 'completed'): RunRow {
  const blank = { name: `run-${seq}`, kind: 'flow', flow_name: 'f', label: null, tags: [], tally: [] }
  return { ...blank, id: `id${seq}`, seq, state, created_at: '', started_at: null, duration_seconds: null, readAt: 0 }
}

const list = (...rows: RunRow[]): RunList => ({ rows, isComplete: false, waiting: 0 })
const seqs = ({ rows }: RunList) => rows.map(({ seq }) => seq)
const NONE: News = { newer: [], newerCount: 0, from: 0, to: 0, window: [], known: [] }

describe('mergeNews', () => {
  const before = list(row(9, 'running'), row(8), row(7), row(5))

  it('becomes what reading anew would give, while nobody holds it', () => {
    // 9 has ended and matches no more, 6 began to match, 11 and 10 are new.
    const news: News = {
      newer: [row(11), row(10)],
      newerCount: 2,
      from: 5,
      to: 9,
      window: [row(8), row(7), row(6), row(5)],
      known: [row(9)],
    }
    expect(seqs(mergeNews(before, news, false))).toEqual([11, 10, 8, 7, 6, 5])
  })

  it('moves nothing while it is held, changes rows in place and counts what waits', () => {
    const news: News = {
      newer: [row(11), row(10)],
      newerCount: 2,
      from: 5,
      to: 9,
      window: [row(8), row(7), row(6), row(5)],
      known: [row(9)],
    }
    const after = mergeNews(before, news, true)
    expect(seqs(after)).toEqual([9, 8, 7, 5])
    expect(after.rows[0]!.state).toBe('completed')
    expect(after.waiting).toBe(3)
  })

  it('leaves what is out of view alone', () => {
    const after = mergeNews(before, { ...NONE, from: 7, to: 8, window: [row(8)] }, false)
    expect(seqs(after)).toEqual([9, 8, 5])
  })

  it('begins anew when more came than were read', () => {
    const after = mergeNews(
      { ...before, isComplete: true },
      { ...NONE, newer: [row(300), row(299)], newerCount: 250 },
      false,
    )
    expect(seqs(after)).toEqual([300, 299])
    expect(after.isComplete).toBe(false)
  })

  it('takes the first rows of an empty list', () => {
    expect(seqs(mergeNews(list(), { ...NONE, newer: [row(1)], newerCount: 1 }, false))).toEqual([1])
  })

  it('shows no row twice, whatever the news repeat', () => {
    const news: News = {
      newer: [row(9)],
      newerCount: 1,
      from: 5,
      to: 9,
      window: [row(9), row(8), row(7), row(5)],
      known: [row(9)],
    }
    expect(seqs(mergeNews(before, news, false))).toEqual([9, 8, 7, 5])
  })
})

describe('appendPage', () => {
  it('adds below, once, and knows the end by a page that is not full', () => {
    const first = appendPage(list(row(9), row(8)), [row(8), row(7)], 2)
    expect(seqs(first)).toEqual([9, 8, 7])
    expect(first.isComplete).toBe(false)
    expect(appendPage(first, [row(3)], 2).isComplete).toBe(true)
  })
})
