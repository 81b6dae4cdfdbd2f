/** Draws large graphs on a canvas: only what is in view, and no more of it than can be seen at its scale. */

import { familyOf } from '@/lib/states'
import { drawGlyph } from '../glyphs'
import type { Palette } from '../palette'
import { shorten } from '../share'
import { FAMILIES } from '../timeline/family'
import type { GraphNode, NodeFace } from './graph'
import type { Pair } from './layers'
import type { Layout } from './layout'
import { detailAt, lettersIn, NODE_HEIGHT, nameSize, type View } from './shape'

export interface Picture {
  layout: Layout
  nodes: readonly GraphNode[]
  faces: readonly NodeFace[]
  pairs: readonly Pair[]
  nodeWidth: number
  view: View
  width: number
  height: number
  ratio: number
  palette: Palette
  related: Uint8Array | undefined
  selected: number | undefined
  /** The keyboard's place; undefined: the focus is elsewhere. */
  cursor: number | undefined
}

/** Draw the whole picture. Cost: a look at every node and edge, a stroke for each in view. */
export function paintGraph(context: CanvasRenderingContext2D, picture: Picture): void {
  const { palette, view, width, height, ratio, related, pairs } = picture
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.fillStyle = palette.surface
  context.fillRect(0, 0, width, height)
  context.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, ratio * view.x, ratio * view.y)
  const isClose = (edge: number) => related?.[pairs[edge]![0]] === 1 && related[pairs[edge]![1]] === 1
  const thin = Math.max(1, 0.6 / view.scale)
  context.globalAlpha = related ? 0.3 : 1
  strokeEdges(context, picture, palette.lineStrong, thin, (edge) => !isClose(edge))
  context.globalAlpha = 1
  if (related) strokeEdges(context, picture, palette.ink2, thin * 1.6, isClose)
  for (let node = 0; node < picture.nodes.length; node++) {
    context.globalAlpha = related && related[node] === 0 ? 0.3 : 1
    paintNode(context, picture, node)
  }
  context.globalAlpha = 1
}

/** The part of the drawing that is in view. */
function windowOf({ view, width, height }: Picture) {
  return {
    left: -view.x / view.scale,
    top: -view.y / view.scale,
    right: (width - view.x) / view.scale,
    bottom: (height - view.y) / view.scale,
  }
}

function strokeEdges(
  context: CanvasRenderingContext2D,
  picture: Picture,
  colour: string,
  thick: number,
  isMeant: (edge: number) => boolean,
): void {
  const { layout, view } = picture
  const window = windowOf(picture)
  const isCurved = view.scale > 0.3
  context.strokeStyle = colour
  context.lineWidth = thick
  for (const dashed of [false, true]) {
    context.beginPath()
    layout.edges.forEach(({ points, isBack }, edge) => {
      if (points.length === 0 || isBack !== dashed || !isMeant(edge)) return
      const [first, last] = [points[0]!, points.at(-1)!]
      if (Math.max(first.x, last.x) < window.left || Math.min(first.x, last.x) > window.right) return
      if (points.every(({ y }) => y < window.top) || points.every(({ y }) => y > window.bottom)) return
      context.moveTo(first.x, first.y)
      for (let step = 1; step < points.length; step++) {
        const [from, to] = [points[step - 1]!, points[step]!]
        if (!isCurved || step % 2 === 0) context.lineTo(to.x, to.y)
        else if (layout.direction === 'right') {
          const middle = (from.x + to.x) / 2
          context.bezierCurveTo(middle, from.y, middle, to.y, to.x, to.y)
        } else {
          const middle = (from.y + to.y) / 2
          context.bezierCurveTo(from.x, middle, to.x, middle, to.x, to.y)
        }
      }
    })
    context.setLineDash(dashed ? [4, 4] : [])
    context.stroke()
  }
  context.setLineDash([])
}

function paintNode(context: CanvasRenderingContext2D, picture: Picture, number: number): void {
  const { layout, nodes, faces, nodeWidth: width, palette, view, selected, cursor } = picture
  const window = windowOf(picture)
  const { x, y } = layout.nodes[number]!
  if (x > window.right || x + width < window.left || y > window.bottom || y + NODE_HEIGHT < window.top) return
  const face = faces[number]!
  const family = FAMILIES.indexOf(familyOf(face.state))
  const detail = detailAt(view.scale)
  const isMarked = number === selected || number === cursor
  if (detail === 'dot' && !isMarked && !face.isAhead) {
    context.fillStyle = palette.fill[family]!
    context.fillRect(x, y, width, NODE_HEIGHT)
    return
  }
  context.beginPath()
  context.roundRect(x, y, width, NODE_HEIGHT, 6)
  context.fillStyle = detail === 'dot' && !face.isAhead ? palette.fill[family]! : palette.surface
  context.fill()
  context.strokeStyle = isMarked ? palette.ink : palette.lineStrong
  context.lineWidth = (isMarked ? 2.5 : 1) * Math.max(1, 0.6 / view.scale)
  context.setLineDash(face.isAhead || number === cursor ? [4, 3] : [])
  context.stroke()
  context.setLineDash([])
  if (detail === 'dot') return
  if (nodes[number]!.kind === 'flow') {
    context.lineWidth = 1
    context.strokeRect(x - 4, y - 4, width + 8, NODE_HEIGHT + 8)
  }
  context.fillStyle = palette.fill[family]!
  if (!face.isAhead) context.fillRect(x + 6, y + 9, 3, NODE_HEIGHT - 18)
  const size = detail === 'full' ? 13 : nameSize(view.scale)
  context.font = `600 ${size}px ${palette.fontUi}`
  context.textAlign = 'left'
  context.textBaseline = 'middle'
  context.fillStyle = face.isAhead ? palette.ink3 : palette.ink
  context.fillText(
    shorten(nodes[number]!.name, lettersIn(width, size)),
    x + 14,
    y + (detail === 'full' ? 18 : NODE_HEIGHT / 2),
  )
  if (detail === 'full') paintState(context, picture, face, family, x, y)
}

function paintState(
  context: CanvasRenderingContext2D,
  picture: Picture,
  face: NodeFace,
  family: number,
  x: number,
  y: number,
): void {
  const { palette, nodeWidth: width } = picture
  context.fillStyle = palette.text[family]!
  context.strokeStyle = palette.text[family]!
  drawGlyph(context, FAMILIES[family]!, x + 22, y + 38, 10)
  context.font = `12px ${palette.fontUi}`
  context.fillText(face.word, x + 33, y + 38)
  context.font = `12px ${palette.fontNumbers}`
  context.fillStyle = palette.ink3
  context.textAlign = 'right'
  context.fillText(face.count, x + width - 12, y + 38)
}
