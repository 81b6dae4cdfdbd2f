/** Where the nodes of each rank stand: near their neighbours, never over one another, long edges straight. */

import type { Layered } from './layers'

/** The room that nodes and bends take on their rank, and the gap between them. */
export interface Room {
  node: number
  bend: number
  gap: number
}

const ROUNDS = 14

/** The middle of every node across the ranks, from 0 on. */
export function placeNodes(graph: Layered, rows: number[][], room: Room): Float64Array {
  const at = new Float64Array(graph.total)
  const size = (node: number) => (node < graph.real ? room.node : room.bend)
  for (const row of rows) {
    let edge = 0
    for (const node of row) {
      at[node] = edge + size(node) / 2
      edge += size(node) + room.gap
    }
    for (const node of row) at[node]! -= (edge - room.gap) / 2
  }
  for (let round = 0; round < ROUNDS; round++) {
    // Once from either end in turn, and at last by the neighbours of both sides.
    const isLast = round >= ROUNDS - 2
    const isDown = round % 2 === 0
    for (const row of isDown ? rows : rows.toReversed()) {
      const sides = isLast ? [graph.before, graph.after] : [isDown ? graph.before : graph.after]
      settle(row, sides, graph, at, size, room.gap)
    }
  }
  for (const row of rows) straighten(row, graph, at, size, room.gap)
  let first = Number.POSITIVE_INFINITY
  for (let node = 0; node < graph.total; node++) first = Math.min(first, at[node]! - size(node) / 2)
  return at.map((middle) => middle - first)
}

/** Put the nodes of one rank where the mean of their neighbours on these sides is. */
function settle(row: number[], sides: number[][][], graph: Layered, at: Float64Array, size: Size, gap: number): void {
  const wishes = row.map((node): Wish => {
    let sum = 0
    let weight = 0
    for (const neighbours of sides) {
      for (const other of neighbours[node]!) {
        // A line through bends would rather be straight than short.
        const bends = Number(node >= graph.real) + Number(other >= graph.real)
        const pull = bends === 2 ? 8 : bends === 1 ? 2 : 1
        sum += at[other]! * pull
        weight += pull
      }
    }
    // Who has no neighbour there holds its place, lightly.
    return weight > 0 ? { place: sum / weight, weight } : { place: at[node]!, weight: 0.1 }
  })
  fulfil(row, wishes, at, size, gap)
}

/** What continues a line, a bend after a bend or a link of a chain, stands in line with what it continues. */
function straighten(row: number[], graph: Layered, at: Float64Array, size: Size, gap: number): void {
  const wishes = row.map((node): Wish => {
    const [only, ...others] = graph.before[node]!
    const isLine = only !== undefined && others.length === 0 && graph.after[only]!.length === 1
    return isLine ? { place: at[only]!, weight: 100 } : { place: at[node]!, weight: 1 }
  })
  fulfil(row, wishes, at, size, gap)
}

interface Wish {
  place: number
  weight: number
}

type Size = (node: number) => number

/**
 * Put the nodes of one rank as near as possible to where they want to be, in their order and without touching.
 *
 * The least squares under fixed distances: pools of neighbours who push one another share the mean of their wishes
 * (pool adjacent violators). Cost: linear.
 */
function fulfil(row: number[], wishes: Wish[], at: Float64Array, size: Size, gap: number): void {
  const offsets: number[] = []
  const pools: { sum: number; weight: number; count: number }[] = []
  let offset = 0
  row.forEach((node, number) => {
    if (number > 0) offset += (size(row[number - 1]!) + size(node)) / 2 + gap
    offsets.push(offset)
    const { place, weight } = wishes[number]!
    let pool = { sum: (place - offset) * weight, weight, count: 1 }
    for (let last = pools.at(-1); last && last.sum / last.weight > pool.sum / pool.weight; last = pools.at(-1)) {
      pool = { sum: last.sum + pool.sum, weight: last.weight + pool.weight, count: last.count + pool.count }
      pools.pop()
    }
    pools.push(pool)
  })
  let number = 0
  for (const { sum, weight, count } of pools) {
    for (let each = 0; each < count; each++, number++) at[row[number]!] = sum / weight + offsets[number]!
  }
}
