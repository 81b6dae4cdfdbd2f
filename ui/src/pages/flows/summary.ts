import type { FlowsQuery } from '@/gql/graphql'
import { familyOf, isTerminal } from '@/lib/states'

/** A flow as the page shows it. */
export type FlowRow = FlowsQuery['flows'][number]
type Run = FlowRow['runs'][number]

/** What the last runs of a flow say about it. */
export interface Summary {
  /** Of those that have ended, how many did so well; null when none has. */
  share: number | null
  ended: number
  /** The middle of their durations in seconds. */
  p50: number | null
}

/** Sum up the last runs of a flow; those under way are no part of it. */
export function summarize(runs: readonly Run[]): Summary {
  const ended = runs.filter(({ state }) => isTerminal(state))
  const good = ended.filter(({ state, label }) => familyOf(state, label) === 'success')
  const lengths = ended.flatMap(({ duration_seconds }) => duration_seconds ?? []).sort((a, b) => a - b)
  const middle = lengths.length / 2
  const p50 = lengths.length ? (lengths[Math.floor(middle)]! + lengths[Math.ceil(middle) - 1]!) / 2 : null
  return { share: ended.length ? good.length / ended.length : null, ended: ended.length, p50 }
}

/** How high each bar stands, from 0 to 1, oldest first; one that never began has 0. */
export function heightsOf(runs: readonly Run[]): number[] {
  const longest = Math.max(...runs.map(({ duration_seconds }) => duration_seconds ?? 0), 1e-9)
  return runs.map(({ duration_seconds }) => (duration_seconds ?? 0) / longest).reverse()
}

/** Keep rows where they are while somebody points at them; new ones come last, values are the new ones. */
export function holdOrder(rows: readonly FlowRow[], order: readonly string[]): FlowRow[] {
  const place = new Map(order.map((name, index) => [name, index]))
  const at = (row: FlowRow) => place.get(row.name) ?? Number.POSITIVE_INFINITY
  return [...rows].sort((a, b) => (at(a) === at(b) ? 0 : at(a) - at(b)))
}
