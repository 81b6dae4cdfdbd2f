/** Graphs to lay out. */

import type { Pair } from '../layers'
import type { LayoutInput } from '../layout'

export function input(names: string, edges: string, rest: Partial<LayoutInput> = {}): LayoutInput {
  const keys = names.split(' ')
  const pairs = edges
    .split(' ')
    .filter(Boolean)
    .map((edge): Pair => {
      const [from, to] = edge.split('>')
      return [keys.indexOf(from!), keys.indexOf(to!)]
    })
  return { keys, edges: pairs, direction: 'right', width: 160, height: 56, ...rest }
}

/** Mulberry32: the same numbers everywhere. */
export function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** A graph as pipelines look: about 1.25 edges a node, most of them to nodes that came shortly before. */
export function randomInput(nodes: number, seed: number): LayoutInput {
  const next = random(seed)
  const keys = Array.from({ length: nodes }, (_, node) => `n${node}`)
  const edges: Pair[] = []
  for (let node = 1; node < nodes; node++) {
    const count = next() < 0.72 ? 1 : 2
    for (let each = 0; each < count; each++) {
      const back = 1 + Math.floor(next() * next() * Math.min(node, 30))
      const pair: Pair = [Math.max(0, node - back), node]
      if (!edges.some(([from, to]) => from === pair[0] && to === pair[1])) edges.push(pair)
    }
  }
  return { keys, edges, direction: 'right', width: 160, height: 56 }
}
