/** What lies above the tracks and changes with the pointer and the clock: cheap enough to be drawn at every move. */

import { formatTime } from '@/lib/time'
import { AXIS, type Box, boxOf, type Scene, timeAt, xOf } from './scene'

export interface Marks {
  /** Pointer, CSS pixels in the canvas. */
  pointer?: { x: number; y: number } | undefined
  /** Rows, −1: none. */
  hovered: number
  selected: number
  cursor: number
  isFocused: boolean
  /** A range that is being drawn, in CSS pixels. */
  brush?: { from: number; to: number } | undefined
}

/** Draw the marks and the line of the present. */
export function paintOverlay(context: CanvasRenderingContext2D, scene: Scene, marks: Marks): void {
  const { ratio, width, height, labels, palette } = scene
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.clearRect(0, 0, width, height)
  const bottom = height - AXIS
  context.save()
  context.beginPath()
  context.rect(labels, 0, width - labels, bottom)
  context.clip()
  if (marks.hovered >= 0 && marks.hovered !== marks.selected) outline(context, scene, marks.hovered, palette.ink2, 1.5)
  if (marks.selected >= 0) outline(context, scene, marks.selected, palette.ink, 2.5)
  if (marks.isFocused && marks.cursor >= 0) outline(context, scene, marks.cursor, palette.focus, 2, [4, 2])
  if (marks.brush) paintBrush(context, scene, marks.brush)
  context.restore()
  if (scene.isLive) paintNow(context, scene)
  if (marks.pointer && !marks.brush && marks.pointer.x > labels) paintCrosshair(context, scene, marks.pointer.x)
}

function outline(
  context: CanvasRenderingContext2D,
  scene: Scene,
  row: number,
  colour: string,
  thick: number,
  dash: number[] = [],
): void {
  const box = boxOf(scene, row)
  if (!box) return
  // Never so small that it is not seen.
  const grow = Math.max(0, 8 - (box.right - box.left)) / 2
  const low = Math.max(0, 8 - (box.bottom - box.top)) / 2
  const left = Math.max(box.left - grow - 1.5, scene.labels - 10)
  const right = Math.min(box.right + grow + 1.5, scene.width + 10)
  const shape: Box = { left, right, top: box.top - low - 0.5, bottom: box.bottom + low + 0.5 }
  context.lineWidth = thick
  context.setLineDash(dash)
  context.beginPath()
  context.roundRect(shape.left, shape.top, Math.max(0, shape.right - shape.left), shape.bottom - shape.top, 3)
  context.strokeStyle = colour
  context.stroke()
  context.setLineDash([])
}

function paintBrush(context: CanvasRenderingContext2D, scene: Scene, brush: { from: number; to: number }): void {
  const { palette } = scene
  const left = Math.max(Math.min(brush.from, brush.to), scene.labels)
  const right = Math.max(brush.from, brush.to)
  const bottom = scene.height - AXIS
  context.globalAlpha = 0.12
  context.fillStyle = palette.ink
  context.fillRect(left, 0, right - left, bottom)
  context.globalAlpha = 1
  context.fillRect(Math.round(left), 0, 1, bottom)
  context.fillRect(Math.round(right) - 1, 0, 1, bottom)
}

function paintNow(context: CanvasRenderingContext2D, scene: Scene): void {
  const { palette, height, labels, width } = scene
  const x = xOf(scene, scene.now)
  if (x < labels || x > width) return
  context.fillStyle = palette.ink
  context.fillRect(Math.round(x) - 0.75, 0, 1.5, height - AXIS + 5)
  if (x + 40 > width) return
  context.font = `12px ${palette.fontUi}`
  context.textAlign = 'left'
  context.textBaseline = 'top'
  context.fillText('now', Math.round(x) + 6, 6)
}

function paintCrosshair(context: CanvasRenderingContext2D, scene: Scene, pointer: number): void {
  const { palette, height, width, labels, data, zone, span } = scene
  const bottom = height - AXIS
  context.fillStyle = palette.ink3
  context.globalAlpha = 0.5
  context.fillRect(Math.round(pointer), 0, 1, bottom)
  context.globalAlpha = 1
  const millis = span.to - span.from < 60e6
  const text = formatTime(data.base + timeAt(scene, pointer), zone, { millis, date: false })
  context.font = `12px ${palette.fontNumbers}`
  const half = context.measureText(text).width / 2 + 6
  const x = Math.min(Math.max(pointer, labels + half), width - half)
  // A label of the axis that would look out from under it is covered.
  context.fillStyle = palette.surface
  for (const [left, right] of scene.axisLabels) {
    if (left < x + half + 4 && right > x - half - 4) context.fillRect(left - 1, bottom + 5, right - left + 2, AXIS - 8)
  }
  context.fillStyle = palette.ink
  context.beginPath()
  context.roundRect(x - half, bottom + 4, 2 * half, AXIS - 8, 3)
  context.fill()
  context.fillStyle = palette.onInk
  context.textAlign = 'center'
  context.textBaseline = 'middle'
  context.fillText(text, x, bottom + AXIS / 2 + 0.5)
}
