/** The glyphs of the families of states, drawn on a canvas: a state is never told by its colour alone. */

import type { Family } from '@/lib/states'

/** Draw a family's glyph in a square of `size` around a point, in the present fill and stroke colour. */
export function drawGlyph(context: CanvasRenderingContext2D, family: Family, x: number, y: number, size: number): void {
  const r = size / 2
  context.lineWidth = 1.5
  context.lineCap = 'round'
  context.lineJoin = 'round'
  context.beginPath()
  switch (family) {
    case 'waiting':
      context.arc(x, y, r * 0.8, 0, 2 * Math.PI)
      context.stroke()
      break
    case 'running':
      context.arc(x, y, r * 0.8, 0, 2 * Math.PI)
      context.stroke()
      context.beginPath()
      context.arc(x, y, r * 0.8, Math.PI / 2, -Math.PI / 2)
      context.fill()
      break
    case 'success':
      line(context, x - r * 0.8, y, x - r * 0.2, y + r * 0.6, x + r * 0.8, y - r * 0.6)
      break
    case 'attention':
      line(context, x, y - r * 0.8, x + r * 0.9, y + r * 0.75, x - r * 0.9, y + r * 0.75, x, y - r * 0.8)
      break
    case 'failed':
      line(context, x - r * 0.65, y - r * 0.65, x + r * 0.65, y + r * 0.65)
      line(context, x - r * 0.65, y + r * 0.65, x + r * 0.65, y - r * 0.65)
      break
    case 'crashed':
      line(context, x + r * 0.3, y - r, x - r * 0.5, y + r * 0.15, x + r * 0.5, y - r * 0.05, x - r * 0.3, y + r)
      break
    case 'cancelled':
      context.arc(x, y, r * 0.8, 0, 2 * Math.PI)
      context.stroke()
      line(context, x - r * 0.5, y + r * 0.5, x + r * 0.5, y - r * 0.5)
      break
  }
}

function line(context: CanvasRenderingContext2D, ...points: number[]): void {
  context.beginPath()
  context.moveTo(points[0]!, points[1]!)
  for (let at = 2; at < points.length; at += 2) context.lineTo(points[at]!, points[at + 1]!)
  context.stroke()
}
