/** From node to node with the arrow keys. */

import type { Pair } from './layers'
import type { Layout } from './layout'

/** Along the edges or within the rank, by the key as it looks on the screen. */
const STEPS = {
  right: { ArrowRight: 'on', ArrowLeft: 'back', ArrowUp: 'before', ArrowDown: 'after' },
  down: { ArrowDown: 'on', ArrowUp: 'back', ArrowLeft: 'before', ArrowRight: 'after' },
} as const

/** The node to which a key leads; undefined: the key does not walk. */
export function walk(layout: Layout, pairs: readonly Pair[], node: number, key: string): number | undefined {
  const all = layout.ranks.flat()
  if (key === 'Home') return all[0]
  if (key === 'End') return all.at(-1)
  const step = (STEPS[layout.direction] as Record<string, 'on' | 'back' | 'before' | 'after'>)[key]
  if (!step) return undefined
  const rank = layout.ranks.findIndex((row) => row.includes(node))
  const row = layout.ranks[rank] ?? []
  if (step === 'before') return row[row.indexOf(node) - 1] ?? node
  if (step === 'after') return row[row.indexOf(node) + 1] ?? node
  const next = step === 'on' ? 1 : -1
  const linked = pairs
    .filter((pair, edge) => !layout.edges[edge]!.isBack && pair[0] !== pair[1] && pair[next > 0 ? 0 : 1] === node)
    .map((pair) => pair[next > 0 ? 1 : 0])
  // At the end of its edges the walk goes on to the rank beside it.
  const reachable = linked.length > 0 ? linked : (layout.ranks[rank + next] ?? [node])
  return nearest(layout, reachable, node)
}

function nearest(layout: Layout, nodes: readonly number[], to: number): number {
  const distance = (node: number) => {
    const [a, b] = [layout.nodes[node]!, layout.nodes[to]!]
    return layout.direction === 'right' ? Math.abs(a.y - b.y) : Math.abs(a.x - b.x)
  }
  return nodes.reduce((best, node) => (distance(node) < distance(best) ? node : best), nodes[0]!)
}
