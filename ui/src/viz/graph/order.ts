/** The order of the nodes on each rank, with few crossings of edges: medians, exchanges of neighbours, the best kept. */

import type { Layered } from './layers'

export interface Ordering {
  /** The nodes of each rank, bends among them. */
  rows: number[][]
  crossings: number
}

interface Effort {
  sweeps: number
  starts: number
  exchange: boolean
}

/** The larger the graph, the less is tried. */
function effortFor(nodes: number): Effort {
  if (nodes <= 1500) return { sweeps: 24, starts: 3, exchange: true }
  if (nodes <= 4000) return { sweeps: 12, starts: 1, exchange: true }
  return { sweeps: 6, starts: 1, exchange: false }
}

/** Without an improvement for so many sweeps none is to be hoped for. */
const PATIENCE = 6

/**
 * Order the nodes of every rank.
 *
 * Args: `known`: where a node stood before, NaN: it is new. Known nodes of a rank keep their order: a picture that
 * grows while it is looked at must not be shuffled. Same input, same answer.
 */
export function orderRows(graph: Layered, known?: Float64Array): Ordering {
  const base: number[][] = []
  for (let node = 0; node < graph.total; node++) {
    base[graph.rank[node]!] ??= []
    base[graph.rank[node]!]!.push(node)
  }
  if (known?.some((place) => !Number.isNaN(place))) return keepOrder(graph, base, known)
  const effort = effortFor(graph.total)
  let best: Ordering = { rows: base, crossings: countCrossings(graph, base) }
  for (let start = 0; start < effort.starts && best.crossings > 0; start++) {
    best = sweep(graph, begin(base, start), effort, best)
  }
  return best
}

/** Different beginnings end in different orders: as given, turned around, shuffled in a fixed way. */
function begin(base: number[][], start: number): number[][] {
  return base.map((row) => {
    if (start === 0) return [...row]
    if (start === 1) return row.toReversed()
    return row.toSorted((a, b) => ((a * 7919 + start * 31) % 101) - ((b * 7919 + start * 31) % 101) || a - b)
  })
}

function sweep(graph: Layered, rows: number[][], effort: Effort, best: Ordering): Ordering {
  const place = placesOf(graph, rows)
  let found = best
  let stale = 0
  for (let round = 0; round < effort.sweeps && stale < PATIENCE && found.crossings > 0; round++) {
    const isDown = round % 2 === 0
    const order = [...rows.keys()].slice(1)
    for (const rank of isDown ? order : order.map((each) => rows.length - 1 - each)) {
      sortByNeighbours(rows[rank]!, isDown ? graph.before : graph.after, place, round % 4 < 2)
    }
    if (effort.exchange) exchange(graph, rows, place)
    const crossings = countCrossings(graph, rows)
    if (crossings < found.crossings) {
      found = { rows: rows.map((row) => [...row]), crossings }
      stale = 0
    } else stale++
  }
  return found
}

function placesOf(graph: Layered, rows: number[][]): Float64Array {
  const place = new Float64Array(graph.total)
  for (const row of rows) setPlaces(row, place)
  return place
}

function setPlaces(row: number[], place: Float64Array): void {
  for (const [at, node] of row.entries()) place[node] = at
}

/** Sort one rank by the median, or the mean, of its nodes' neighbours; who has none stays where it is. */
function sortByNeighbours(row: number[], neighbours: number[][], place: Float64Array, byMedian: boolean): void {
  const wish = new Map<number, number>()
  for (const node of row) wish.set(node, middleOf(neighbours[node]!, place, byMedian) ?? place[node]!)
  row.sort((a, b) => wish.get(a)! - wish.get(b)! || place[a]! - place[b]!)
  setPlaces(row, place)
}

function middleOf(nodes: number[], place: Float64Array, byMedian: boolean): number | undefined {
  if (nodes.length === 0) return undefined
  if (!byMedian) return nodes.reduce((sum, node) => sum + place[node]!, 0) / nodes.length
  const places = nodes.map((node) => place[node]!).sort((a, b) => a - b)
  const half = places.length >> 1
  return places.length % 2 ? places[half]! : (places[half - 1]! + places[half]!) / 2
}

/** Exchange neighbours of a rank as long as that saves crossings. */
function exchange(
  graph: Layered,
  rows: number[][],
  place: Float64Array,
  mayMove?: (a: number, b: number) => boolean,
): void {
  for (let round = 0, isBetter = true; isBetter && round < 4; round++) {
    isBetter = false
    for (const row of rows) {
      for (let at = 0; at + 1 < row.length; at++) {
        const a = row[at]!
        const b = row[at + 1]!
        if (mayMove && !mayMove(a, b)) continue
        if (crossed(graph, a, b, place) <= crossed(graph, b, a, place)) continue
        row[at] = b
        row[at + 1] = a
        place[b] = at
        place[a] = at + 1
        isBetter = true
      }
    }
  }
}

/** How often the edges of two nodes cross when `left` stands before `right`. */
function crossed(graph: Layered, left: number, right: number, place: Float64Array): number {
  let count = 0
  for (const neighbours of [graph.before, graph.after]) {
    for (const one of neighbours[left]!)
      for (const other of neighbours[right]!) if (place[one]! > place[other]!) count++
  }
  return count
}

/** Count all crossings. Cost: edges times log(nodes of a rank). */
export function countCrossings(graph: Layered, rows: number[][]): number {
  const place = placesOf(graph, rows)
  let count = 0
  for (let rank = 0; rank + 1 < rows.length; rank++) {
    // Edges in the order of their beginnings cross once for each pair whose ends are the other way round.
    const ends: number[] = []
    for (const node of rows[rank]!) {
      const own = graph.after[node]!.map((other) => place[other]!).sort((a, b) => a - b)
      for (const end of own) ends.push(end)
    }
    const size = rows[rank + 1]!.length + 1
    const sums = new Int32Array(size + 1)
    for (let at = ends.length - 1; at >= 0; at--) {
      for (let index = ends[at]!; index > 0; index -= index & -index) count += sums[index]!
      for (let index = ends[at]! + 1; index <= size; index += index & -index) sums[index]!++
    }
  }
  return count
}

/** Known nodes in their order, new ones and bends where their neighbours want them, then exchanges that move no known pair. */
function keepOrder(graph: Layered, base: number[][], known: Float64Array): Ordering {
  const wish = new Float64Array(graph.total).fill(Number.NaN)
  for (let node = 0; node < graph.real; node++) wish[node] = known[node]!
  // From both sides, until everybody has a wish: new nodes may hang on new nodes.
  for (const isDown of [true, false, true, false]) {
    for (const row of isDown ? base : base.toReversed()) {
      for (const node of row) {
        if (!Number.isNaN(wish[node]!)) continue
        const near = (isDown ? graph.before : graph.after)[node]!.filter((each) => !Number.isNaN(wish[each]!))
        if (near.length > 0) wish[node] = near.reduce((sum, each) => sum + wish[each]!, 0) / near.length
      }
    }
  }
  const rows = base.map((row) =>
    row.toSorted((a, b) => {
      const [one, other] = [wish[a]!, wish[b]!].map((each) => (Number.isNaN(each) ? Number.MAX_VALUE : each))
      return one! - other! || a - b
    }),
  )
  const isKnown = (node: number) => node < graph.real && !Number.isNaN(known[node]!)
  exchange(graph, rows, placesOf(graph, rows), (a, b) => !(isKnown(a) && isKnown(b)))
  return { rows, crossings: countCrossings(graph, rows) }
}
