/** The graph of a run as the server tells it, and what is drawn of it. */

import { infoOf, isTerminal, worst } from '@/lib/states'
import { formatCount } from '@/lib/time'
import type { Pair } from './layers'

export interface GraphNode {
  key: string
  kind: 'task' | 'flow'
  name: string
  /** Number of runs by state. */
  states: Readonly<Record<string, number>>
  started_at: string | null
  ended_at: string | null
}

export interface GraphEdge {
  from: string
  to: string
  /** How many runs depend on how many: the number of single dependencies. */
  count: number
}

export interface GraphData {
  nodes: readonly GraphNode[]
  edges: readonly GraphEdge[]
}

/** What a node shows. */
export interface NodeFace {
  state: string
  word: string
  /** `×40` runs, `8/40` while some are not done; empty for a single one. */
  count: string
  total: number
  done: number
  /** Nothing of it has run yet. */
  isAhead: boolean
  isRunning: boolean
}

/** Sum a node up: the worst of its states speaks for it. */
export function faceOf(node: GraphNode): NodeFace {
  const present = Object.entries(node.states).filter(([, count]) => count > 0)
  const total = present.reduce((sum, [, count]) => sum + count, 0)
  const done = present.reduce((sum, [state, count]) => sum + (isTerminal(state) ? count : 0), 0)
  const state = worst(present.map(([name]) => name)) ?? 'scheduled'
  const isAhead = present.every(([name]) => name === 'scheduled' || name === 'pending')
  const isRunning = present.some(([name]) => name === 'running')
  const of = done < total ? `${formatCount(done)}/${formatCount(total)}` : `×${formatCount(total)}`
  return { state, word: infoOf(state).word, count: total > 1 ? of : '', total, done, isAhead, isRunning }
}

/** The edges by the numbers of their nodes; an edge to a node that is not there is left out. */
export function pairsOf({ nodes, edges }: GraphData): { pairs: Pair[]; edges: GraphEdge[] } {
  const numbers = new Map(nodes.map((node, number) => [node.key, number]))
  const known = edges.filter(({ from, to }) => numbers.has(from) && numbers.has(to))
  return { pairs: known.map(({ from, to }): Pair => [numbers.get(from)!, numbers.get(to)!]), edges: known }
}

/** Everything before and after a node, the node as well; undefined: no node. */
export function relatives(count: number, pairs: readonly Pair[], node: number | undefined): Uint8Array | undefined {
  if (node === undefined) return undefined
  const found = new Uint8Array(count)
  for (const [from, to] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const next: number[][] = Array.from({ length: count }, () => [])
    for (const pair of pairs) next[pair[from]]!.push(pair[to])
    const seen = new Uint8Array(count)
    const ways = [node]
    seen[node] = 1
    for (let at = 0; at < ways.length; at++) {
      for (const other of next[ways[at]!]!) {
        if (seen[other]) continue
        seen[other] = 1
        ways.push(other)
      }
    }
    for (const each of ways) found[each] = 1
  }
  return found
}

/** The same text: the same layout. */
export function structureOf({ nodes }: GraphData, pairs: readonly Pair[]): string {
  return `${nodes.map(({ key }) => key).join('\n')}\n\n${pairs.join(' ')}`
}
