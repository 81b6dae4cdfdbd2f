import { describe, expect, it } from 'vitest'
import { layer, openCycles, type Pair, rankNodes } from '../layers'
import { type Layout, type LayoutInput, layOut } from '../layout'
import { countCrossings } from '../order'
import { input, randomInput } from './shapes'

/** The nodes of each rank by name. */
function ranksOf(given: LayoutInput): string[] {
  return layOut(given).ranks.map((rank) => rank.map((node) => given.keys[node]).join(' '))
}

function overlaps(layout: Layout, { width, height }: LayoutInput): number {
  let count = 0
  layout.nodes.forEach((a, one) => {
    for (const b of layout.nodes.slice(one + 1)) {
      if (Math.abs(a.x - b.x) < width && Math.abs(a.y - b.y) < height) count++
    }
  })
  return count
}

describe('shapes', () => {
  it('lays a chain out on one straight line', () => {
    const given = input('a b c d', 'a>b b>c c>d')
    const layout = layOut(given)
    expect(ranksOf(given)).toEqual(['a', 'b', 'c', 'd'])
    expect(layout.nodes).toEqual([0, 212, 424, 636].map((x) => ({ x, y: 0 })))
    expect([layout.width, layout.height]).toEqual([796, 56])
    expect(layout.edges[1]!.points).toEqual([
      { x: 372, y: 28 },
      { x: 424, y: 28 },
    ])
  })

  it('lays a diamond out evenly', () => {
    const layout = layOut(input('a b c d', 'a>b a>c b>d c>d'))
    expect(layout.nodes.map(({ y }) => Math.round(y))).toEqual([40, 0, 80, 40])
    expect(layout.crossings).toBe(0)
  })

  it('centres a fan on its middle', () => {
    const layout = layOut(input('a b c d e f', 'a>b a>c a>d a>e a>f'))
    expect(layout.ranks.map((rank) => rank.length)).toEqual([1, 5])
    expect(layout.nodes[0]!.y).toBeCloseTo(160, 0)
  })

  it('lays it out from the top down with the roles of x and y exchanged', () => {
    const layout = layOut(input('a b', 'a>b', { direction: 'down' }))
    expect(layout.nodes).toEqual([
      { x: 0, y: 0 },
      { x: 0, y: 104 },
    ])
  })

  it('keeps a long edge straight beside the nodes it passes', () => {
    const layout = layOut(input('a b c d', 'a>b b>c c>d a>d'))
    const [first, ...rest] = layout.edges[3]!.points.slice(1, -1).map(({ y }) => y)
    for (const y of rest) expect(y).toBeCloseTo(first!, 1)
    const passed = layout.nodes[1]!.y
    expect(first! < passed || first! > passed + 56).toBe(true)
  })

  it('puts a source right before what needs it', () => {
    expect(ranksOf(input('a b c d', 'a>b b>c d>c'))).toEqual(['a', 'b d', 'c'])
  })

  it('puts nodes without edges on a grid below', () => {
    const layout = layOut(input('a b x y', 'a>b'))
    expect(layout.nodes[2]).toEqual({ x: 0, y: 104 })
    expect(layout.nodes[3]).toEqual({ x: 184, y: 104 })
    expect(layout.height).toBe(160)
  })

  it('lays out nothing and one', () => {
    expect(layOut({ keys: [], edges: [], direction: 'right', width: 160, height: 56 })).toMatchObject({
      width: 0,
      nodes: [],
    })
    expect(layOut(input('a', ''))).toMatchObject({ width: 160, height: 56, crossings: 0 })
  })
})

describe('cycles', () => {
  it('turns the edge that closes a cycle, and only that', () => {
    const layout = layOut(input('load step check done', 'load>step step>check check>step check>done'))
    expect(layout.edges.map(({ isBack }) => isBack)).toEqual([false, false, true, false])
    expect(layout.ranks.map((rank) => rank.length)).toEqual([1, 1, 1, 1])
    // It leads from check back to step, beside the edge there.
    const [from, to] = [layout.edges[2]!.points[0]!, layout.edges[2]!.points.at(-1)!]
    expect(from.x).toBeGreaterThan(to.x)
    expect(from.y).not.toBe(layout.edges[1]!.points[0]!.y)
  })

  it('marks an edge from a node to itself', () => {
    const layout = layOut(input('a b', 'a>a a>b'))
    expect(layout.edges[0]).toEqual({ points: [], isBack: false, isLoop: true })
    expect(layout.ranks.map((rank) => rank.length)).toEqual([1, 1])
  })

  it('leaves no cycle in random graphs with edges in both directions', () => {
    for (const seed of [1, 2, 3]) {
      const { keys, edges } = randomInput(60, seed)
      const both = edges.flatMap(([from, to], number): Pair[] =>
        number % 3
          ? [[from, to]]
          : [
              [from, to],
              [to, from],
            ],
      )
      const { pairs, isBack } = openCycles(keys.length, both)
      const ranks = rankNodes(keys.length, pairs)
      for (const [from, to] of pairs) expect(ranks[to]!).toBeGreaterThan(ranks[from]!)
      expect(isBack.some(Boolean)).toBe(true)
    }
  })
})

describe('random graphs', () => {
  it('crosses no more edges than sorting by barycentres does, and nodes never overlap', () => {
    for (const seed of [1, 2, 3, 4]) {
      const given = randomInput(200, seed)
      const layout = layOut(given)
      expect(layout.crossings).toBeLessThanOrEqual(barycentre(given))
      expect(overlaps(layout, given)).toBe(0)
    }
  })

  it('gives the same answer again', () => {
    expect(layOut(randomInput(200, 9))).toEqual(layOut(randomInput(200, 9)))
  })

  it('counts crossings as they are', () => {
    const pairs: Pair[] = [
      [0, 3],
      [0, 4],
      [1, 2],
      [1, 3],
      [5, 2],
    ]
    const graph = layer(6, pairs, Int32Array.from([0, 0, 1, 1, 1, 0]))
    const rows = [
      [0, 1, 5],
      [2, 3, 4],
    ]
    let count = 0
    for (const [a, b] of pairs) {
      for (const [c, d] of pairs)
        if (rows[0]!.indexOf(a) < rows[0]!.indexOf(c) && rows[1]!.indexOf(b) > rows[1]!.indexOf(d)) count++
    }
    expect(countCrossings(graph, rows)).toBe(count)
  })
})

describe('a graph that grows', () => {
  it('keeps the order of the nodes that were there', () => {
    const before = randomInput(60, 5)
    const first = layOut(before)
    const keys = [...before.keys, 'new1', 'new2']
    const edges: Pair[] = [...before.edges, [3, 60], [60, 61], [20, 61]]
    const second = layOut({ ...before, keys, edges, known: first.known })
    for (const rank of second.ranks) {
      const old = rank.filter((node) => node < 60 && before.edges.some((edge) => edge.includes(node)))
      const places = old.map((node) => first.known[keys[node]!]!)
      expect(places).toEqual(places.toSorted((a, b) => a - b))
    }
    expect(overlaps(second, before)).toBe(0)
  })
})

/** The textbook's way: some sweeps of sorting by barycentres, the best kept. */
function barycentre({ keys, edges }: LayoutInput): number {
  const linked = [...keys.keys()].filter((node) => edges.some((edge) => edge.includes(node)))
  const pairs = edges.map(([from, to]): Pair => [linked.indexOf(from), linked.indexOf(to)])
  const graph = layer(linked.length, pairs, rankNodes(linked.length, pairs))
  const rows: number[][] = []
  for (let node = 0; node < graph.total; node++) {
    rows[graph.rank[node]!] ??= []
    rows[graph.rank[node]!]!.push(node)
  }
  let best = countCrossings(graph, rows)
  for (let round = 0; round < 24; round++) {
    const order = [...rows.keys()]
    for (const rank of round % 2 ? order.reverse() : order) {
      const beside = rows[rank + (round % 2 ? 1 : -1)]
      if (!beside) continue
      const near = round % 2 ? graph.after : graph.before
      const wish = (node: number) => {
        const places = near[node]!.map((other) => beside.indexOf(other))
        return places.length ? places.reduce((sum, place) => sum + place, 0) / places.length : rows[rank]!.indexOf(node)
      }
      const wishes = new Map(rows[rank]!.map((node) => [node, wish(node)]))
      rows[rank]!.sort((a, b) => wishes.get(a)! - wishes.get(b)!)
    }
    best = Math.min(best, countCrossings(graph, rows))
  }
  return best
}
