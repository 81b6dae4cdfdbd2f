import type { RunRowFragment } from '@/gql/graphql'

/** A run as the list shows it, and when (ms) that was so. */
export type RunRow = RunRowFragment & { readAt: number }

/** The rows that are loaded, newest first. */
export interface RunList {
  rows: readonly RunRow[]
  /** Whether there is nothing below the last row. */
  isComplete: boolean
  /** How many runs have come that are held back, so that nothing moves under the pointer. */
  waiting: number
}

/** What was read about a change. */
export interface News {
  /** Matching runs above the first row, and how many there are of them. */
  newer: readonly RunRow[]
  newerCount: number
  /** Which part was in view, by seq, and what matches in it now. */
  from: number
  to: number
  window: readonly RunRow[]
  /** Rows that were under way, whether they still match or not. */
  known: readonly RunRow[]
}

/** The seq of a row as a number: it passes 2^53 in no lifetime. */
export function seqOf(row: RunRow): number {
  return Number(row.seq)
}

/**
 * Bring a list up to date. While it is held (somebody points at it, or has scrolled), rows change in place, and none
 * comes, goes or moves; else the list becomes what it would be if it were read anew.
 */
export function mergeNews(list: RunList, news: News, isHeld: boolean): RunList {
  const fresh = new Map([...news.known, ...news.window].map((row) => [row.id, row]))
  if (isHeld) {
    const shown = new Set(list.rows.map(({ id }) => id))
    const inserted = news.window.filter(({ id }) => !shown.has(id)).length
    const rows = list.rows.map((row) => fresh.get(row.id) ?? row)
    return { ...list, rows, waiting: news.newerCount + inserted }
  }
  // More came than were read: what lies between is not known, so the list begins anew.
  if (news.newerCount > news.newer.length) return { rows: news.newer, isComplete: false, waiting: 0 }
  const outside = list.rows.filter((row) => seqOf(row) < news.from || seqOf(row) > news.to)
  const kept = [...outside.map((row) => fresh.get(row.id) ?? row), ...news.window, ...news.newer]
  const byId = new Map(kept.map((row) => [row.id, row]))
  return { ...list, rows: [...byId.values()].sort((a, b) => seqOf(b) - seqOf(a)), waiting: 0 }
}

/** Add the next page below. */
export function appendPage(list: RunList, page: readonly RunRow[], pageSize: number): RunList {
  const shown = new Set(list.rows.map(({ id }) => id))
  const rows = [...list.rows, ...page.filter(({ id }) => !shown.has(id))]
  return { ...list, rows, isComplete: page.length < pageSize }
}
