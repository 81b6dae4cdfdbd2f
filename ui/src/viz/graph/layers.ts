/** From a graph to layers: cycles opened, every node on a rank, long edges cut into steps of one rank. */

/** An edge by the numbers of its nodes. */
export type Pair = readonly [from: number, to: number]

export interface Opened {
  /** The edges as they point after some were turned around; in the order given. */
  pairs: Pair[]
  /** Whether an edge was turned around: it closes a cycle. */
  isBack: boolean[]
}

/**
 * Turn those edges around that close a cycle, so that none is left.
 *
 * A walk in depth from the nodes in their order: what points back at a node on the way is turned. Tasks that call one
 * another in a loop make cycles, as nodes are names.
 */
export function openCycles(count: number, edges: readonly Pair[]): Opened {
  const outgoing: number[][] = Array.from({ length: count }, () => [])
  edges.forEach(([from], edge) => {
    outgoing[from]!.push(edge)
  })
  const isBack = edges.map(() => false)
  const state = new Uint8Array(count) // 0 unseen, 1 on the way, 2 done
  const next = new Int32Array(count)
  for (let root = 0; root < count; root++) {
    if (state[root] !== 0) continue
    const way = [root]
    state[root] = 1
    while (way.length > 0) {
      const node = way.at(-1)!
      const edge = outgoing[node]![next[node]!++]
      if (edge === undefined) {
        state[node] = 2
        way.pop()
        continue
      }
      const to = edges[edge]![1]
      if (state[to] === 1) isBack[edge] = true
      else if (state[to] === 0) {
        state[to] = 1
        way.push(to)
      }
    }
  }
  const pairs = edges.map(([from, to], edge): Pair => (isBack[edge] ? [to, from] : [from, to]))
  return { pairs, isBack }
}

/** The rank of each node: one further than the furthest before it; sources stand right before their first successor. */
export function rankNodes(count: number, pairs: readonly Pair[]): Int32Array {
  const outgoing: number[][] = Array.from({ length: count }, () => [])
  const missing = new Int32Array(count)
  for (const [from, to] of pairs) {
    outgoing[from]!.push(to)
    missing[to]!++
  }
  const isSource = missing.map((edges) => (edges === 0 ? 1 : 0))
  const ranks = new Int32Array(count)
  const ready: number[] = []
  for (let node = 0; node < count; node++) if (isSource[node]) ready.push(node)
  for (let at = 0; at < ready.length; at++) {
    const node = ready[at]!
    for (const to of outgoing[node]!) {
      ranks[to] = Math.max(ranks[to]!, ranks[node]! + 1)
      if (--missing[to]! === 0) ready.push(to)
    }
  }
  for (let node = 0; node < count; node++) {
    if (!isSource[node] || outgoing[node]!.length === 0) continue
    ranks[node] = Math.min(...outgoing[node]!.map((to) => ranks[to]!)) - 1
  }
  return ranks
}

/** A graph in which every edge leads from one rank to the next. Numbers from `real` on are bends of long edges. */
export interface Layered {
  real: number
  total: number
  rank: Int32Array
  /** Neighbours on the rank before and after. */
  before: number[][]
  after: number[][]
  /** The nodes an edge passes: its ends, and its bends between them. */
  ways: number[][]
}

export function layer(count: number, pairs: readonly Pair[], ranks: Int32Array): Layered {
  const rank = Array.from(ranks)
  const before: number[][] = Array.from({ length: count }, () => [])
  const after: number[][] = Array.from({ length: count }, () => [])
  const ways: number[][] = []
  for (const [from, to] of pairs) {
    const way = [from]
    for (let at = ranks[from]! + 1; at < ranks[to]!; at++) {
      way.push(rank.length)
      rank.push(at)
      before.push([])
      after.push([])
    }
    way.push(to)
    for (let step = 1; step < way.length; step++) {
      after[way[step - 1]!]!.push(way[step]!)
      before[way[step]!]!.push(way[step - 1]!)
    }
    ways.push(way)
  }
  return { real: count, total: rank.length, rank: Int32Array.from(rank), before, after, ways }
}
