/** Measures and paths of what is drawn, the same for SVG and canvas. */

import type { Direction, EdgeWay, Layout, Point } from './layout'

export const NODE_HEIGHT = 54
const NARROWEST = 128
const WIDEST = 188
/** Of a letter at 13 px, with the glyph and the margins beside the name. */
const LETTER = 7.1
const BESIDE_NAME = 30

/** Between the state's word and the margins a count has to fit. */
const BESIDE_COUNT = 116
const DIGIT = 7.3

/** One width for all nodes: that of the longest name, within bounds, and wide enough for the longest count. */
export function nodeWidth(names: readonly string[], counts: readonly string[]): number {
  const longest = (texts: readonly string[]) => texts.reduce((most, text) => Math.max(most, text.length), 0)
  const named = Math.min(Math.max(longest(names) * LETTER + BESIDE_NAME, NARROWEST), WIDEST)
  return Math.round(Math.max(named, longest(counts) * DIGIT + BESIDE_COUNT))
}

/** So many letters of a name fit into a node. */
export function lettersIn(width: number, size = 13): number {
  return Math.max(3, Math.floor((width - BESIDE_NAME) / (LETTER * (size / 13))))
}

const HEAD = 7

/** A smooth way through the points as SVG path data: straight past nodes, curved between ranks. */
export function pathOf(way: EdgeWay, direction: Direction): string {
  const points = withHead(way, direction)
  let path = `M${at(points[0]!)}`
  for (let step = 1; step < points.length; step++) {
    const [from, to] = [points[step - 1]!, points[step]!]
    // Every second step lies on a rank, beside its nodes.
    if (step % 2 === 0) path += `L${at(to)}`
    else if (direction === 'right') {
      const middle = (from.x + to.x) / 2
      path += `C${at({ x: middle, y: from.y })} ${at({ x: middle, y: to.y })} ${at(to)}`
    } else {
      const middle = (from.y + to.y) / 2
      path += `C${at({ x: from.x, y: middle })} ${at({ x: to.x, y: middle })} ${at(to)}`
    }
  }
  return path
}

/** The points with the last one moved back to the foot of the arrow's head. */
function withHead(way: EdgeWay, direction: Direction): Point[] {
  const tip = way.points.at(-1)!
  const back = way.isBack ? HEAD : -HEAD
  const foot = direction === 'right' ? { x: tip.x + back, y: tip.y } : { x: tip.x, y: tip.y + back }
  return [...way.points.slice(0, -1), foot]
}

/** The head of an edge's arrow as path data. */
export function headOf(way: EdgeWay, direction: Direction): string {
  const tip = way.points.at(-1)!
  const back = way.isBack ? HEAD : -HEAD
  return direction === 'right' ? `M${at(tip)}l${back},-4l0,8z` : `M${at(tip)}l-4,${back}l8,0z`
}

/** A loop on top of a node whose runs depend on one another, with its head. */
export function loopOf(corner: Point, width: number): { path: string; head: string } {
  const right = corner.x + width - 14
  const left = right - 26
  return {
    path: `M${left},${corner.y}C${left},${corner.y - 17} ${right},${corner.y - 17} ${right},${corner.y - 6}`,
    head: `M${right},${corner.y}l-4,-7l8,0z`,
  }
}

const at = ({ x, y }: Point) => `${round(x)},${round(y)}`
const round = (value: number) => Math.round(value * 10) / 10

/** How the layout lies on the screen. */
export interface View {
  scale: number
  x: number
  y: number
}

export const CLOSEST = 2
const MARGIN = 20

/**
 * The view that shows everything, not enlarged.
 *
 * Args: `least`: the smallest scale at which it is still to be read; what does not fit then begins with the first node.
 */
export function fitView(layout: Layout, width: number, height: number, least = 0.02): View {
  const scale = Math.min(1, (width - 2 * MARGIN) / layout.width, (height - 2 * MARGIN) / layout.height)
  const bounded = Math.max(scale, least)
  const first = layout.nodes[layout.ranks[0]?.[0] ?? 0] ?? { x: 0, y: 0 }
  const place = (size: number, room: number, start: number) => {
    const spare = room - size * bounded
    if (spare >= 2 * MARGIN) return spare / 2
    return Math.min(MARGIN, Math.max(spare - MARGIN, room / 2 - (start + NODE_HEIGHT / 2) * bounded))
  }
  return { scale: bounded, x: place(layout.width, width, first.x), y: place(layout.height, height, first.y) }
}

/** Zoom so that the point of the screen stays where it is. */
export function zoomView(view: View, factor: number, at: Point, farthest: number): View {
  const scale = Math.min(CLOSEST, Math.max(farthest, view.scale * factor))
  const change = scale / view.scale
  return { scale, x: at.x - (at.x - view.x) * change, y: at.y - (at.y - view.y) * change }
}

/** Move the view so far that a node is seen, and no further. */
export function revealNode(
  view: View,
  corner: Point,
  node: { width: number; height: number },
  width: number,
  height: number,
): View {
  const shift = (from: number, to: number, room: number) => {
    if (from < MARGIN) return MARGIN - from
    return to > room - MARGIN ? Math.max(room - MARGIN - to, MARGIN - from) : 0
  }
  const left = view.x + corner.x * view.scale
  const top = view.y + corner.y * view.scale
  return {
    scale: view.scale,
    x: view.x + shift(left, left + node.width * view.scale, width),
    y: view.y + shift(top, top + node.height * view.scale, height),
  }
}

/** What is legible at a scale: all of a node, its name enlarged, or its state alone. */
export function detailAt(scale: number): 'full' | 'name' | 'dot' {
  if (scale >= 0.7) return 'full'
  return scale >= 0.32 ? 'name' : 'dot'
}

/** The size of a name in the drawing, so that it is about 11 px on the screen. */
export function nameSize(scale: number): number {
  return Math.min(26, 11 / scale)
}
