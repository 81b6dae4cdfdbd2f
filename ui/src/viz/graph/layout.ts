/** The layout of a graph: nodes in ranks, edges as ways around them. Pure and deterministic; runs in a worker too. */

import { layer, openCycles, type Pair, rankNodes } from './layers'
import { orderRows } from './order'
import { placeNodes } from './place'

export type Direction = 'right' | 'down'

export interface LayoutInput {
  /** Keys of the nodes, in the order in which they began. */
  keys: readonly string[]
  /** By the numbers of the keys. */
  edges: readonly Pair[]
  direction: Direction
  width: number
  height: number
  /** Where nodes stood across the ranks in the picture before: they keep their order. */
  known?: Readonly<Record<string, number>>
}

export interface Point {
  x: number
  y: number
}

export interface EdgeWay {
  /** From the node it leaves to the one it reaches, through its bends. */
  points: Point[]
  /** It closes a cycle: it leads against the direction. */
  isBack: boolean
  /** From a node to itself. */
  isLoop: boolean
}

export interface Layout {
  direction: Direction
  /** Top left corner of each node. */
  nodes: Point[]
  /** In the order of the input's edges. */
  edges: EdgeWay[]
  /** Nodes by rank, in order; those without any edge come last. */
  ranks: number[][]
  width: number
  height: number
  crossings: number
  /** For the next layout's `known`. */
  known: Record<string, number>
}

/** Between ranks, across them, and what a bend takes. */
const RANK_GAP = { right: 52, down: 48 }
const GAP = { right: 24, down: 28 }
const BEND = 4
/** A back edge leaves and arrives a little beside the others. */
const BESIDE = 10

/** Lay out a graph. */
export function layOut(input: LayoutInput): Layout {
  const { keys, edges, direction } = input
  const isRight = direction === 'right'
  const along = isRight ? input.width : input.height
  const across = isRight ? input.height : input.width
  const rankGap = RANK_GAP[direction]
  const isLinked = new Uint8Array(keys.length)
  for (const [from, to] of edges) {
    if (from === to) continue
    isLinked[from] = 1
    isLinked[to] = 1
  }
  // Only nodes with edges are ranked; the others would make the first rank a wall.
  const linked = [...keys.keys()].filter((node) => isLinked[node])
  const numberOf = new Int32Array(keys.length).fill(-1)
  for (const [number, node] of linked.entries()) numberOf[node] = number
  const proper = [...edges.keys()].filter((edge) => edges[edge]![0] !== edges[edge]![1])
  const opened = openCycles(
    linked.length,
    proper.map((edge): Pair => [numberOf[edges[edge]![0]]!, numberOf[edges[edge]![1]]!]),
  )
  const graph = layer(linked.length, opened.pairs, rankNodes(linked.length, opened.pairs))
  const known = input.known && Float64Array.from(linked, (node) => input.known![keys[node]!] ?? Number.NaN)
  const { rows, crossings } = orderRows(graph, known)
  const middle = placeNodes(graph, rows, { node: across, bend: BEND, gap: GAP[direction] })

  const point = (main: number, cross: number): Point => (isRight ? { x: main, y: cross } : { x: cross, y: main })
  const begin = (rank: number) => rank * (along + rankGap)
  const nodes: Point[] = keys.map(() => ({ x: 0, y: 0 }))
  linked.forEach((node, number) => {
    nodes[node] = point(begin(graph.rank[number]!), middle[number]! - across / 2)
  })
  const ways: EdgeWay[] = edges.map(() => ({ points: [], isBack: false, isLoop: true }))
  proper.forEach((edge, number) => {
    const isBack = opened.isBack[number]!
    const way = graph.ways[number]!
    const shift = isBack ? Math.min(BESIDE, across / 2 - 6) : 0
    const points: Point[] = []
    way.forEach((node, step) => {
      const cross = middle[node]! + (node < graph.real ? shift : 0)
      const main = begin(graph.rank[node]!)
      if (step > 0) points.push(point(main, cross))
      if (step < way.length - 1) points.push(point(main + along, cross))
    })
    ways[edge] = { points: isBack ? points.reverse() : points, isBack, isLoop: false }
  })

  const ranks = rows.map((row) => row.filter((node) => node < graph.real).map((node) => linked[node]!))
  const extent = placeUnlinked(input, nodes, ranks, linked)
  return {
    direction,
    nodes,
    edges: ways,
    ranks,
    ...extent,
    crossings,
    known: Object.fromEntries(linked.map((node, number) => [keys[node]!, middle[number]!])),
  }
}

/** Put the nodes without edges on a grid below the others; returns the size of the whole. */
function placeUnlinked(
  input: LayoutInput,
  nodes: Point[],
  ranks: number[][],
  linked: number[],
): { width: number; height: number } {
  const { keys, width, height } = input
  const isLinked = new Set(linked)
  let right = 0
  let bottom = 0
  for (const node of linked) {
    right = Math.max(right, nodes[node]!.x + width)
    bottom = Math.max(bottom, nodes[node]!.y + height)
  }
  const single = [...keys.keys()].filter((node) => !isLinked.has(node))
  if (single.length === 0) return { width: right, height: bottom }
  const stepX = width + 24
  const stepY = height + 24
  const wished = Math.ceil(Math.sqrt((single.length * stepY * 2.4) / stepX))
  const columns = Math.max(1, Math.floor((right + 24) / stepX), Math.min(single.length, wished))
  const top = bottom > 0 ? bottom + 48 : 0
  single.forEach((node, number) => {
    const x = (number % columns) * stepX
    const y = top + Math.floor(number / columns) * stepY
    nodes[node] = { x, y }
    right = Math.max(right, x + width)
    bottom = Math.max(bottom, y + height)
    if (number % columns === 0) ranks.push([])
    ranks.at(-1)!.push(node)
  })
  return { width: right, height: bottom }
}
