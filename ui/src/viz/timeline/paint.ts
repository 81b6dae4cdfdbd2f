/** Draws the tracks: grid, bars or pixels, axis. What moves with the pointer is drawn above it, by `overlay`. */

import { formatDuration, zoneLabel } from '@/lib/time'
import { dayLabel, ticks } from './axis'
import { familyOfRow, isFailure, SUCCESS, WAITING } from './family'
import { FLOW } from './frame'
import { paintLabels } from './labels'
import {
  barHeight,
  drawnUntil,
  FAILURE_WIDTH,
  firstAfter,
  lastBefore,
  measure,
  type Picture,
  paintDensity,
  paintLanes,
} from './pixels'
import { AXIS, HEAD, plotWidth, type Scene, timeAt, topOf, xOf } from './scene'
import { drawnFrom, type Track } from './tracks'
import type { Row } from './view'

/** Above so many bars in view, or below this height of a lane, a track is drawn in pixels. */
const MOST_BARS = 1500
const LOWEST_BAR = 7
/** A label needs so much room. */
const LABEL_ROOM = 44

/** Pixels of the plot at one device pixel per CSS pixel; kept from frame to frame. */
export class PixelLayer {
  private readonly canvas = document.createElement('canvas')
  private context = this.canvas.getContext('2d', { willReadFrequently: true })
  private image: ImageData | undefined
  private picture: Picture | undefined

  /** An empty picture of this size. */
  begin(width: number, height: number): Picture {
    if (!this.image || this.image.width !== width || this.image.height !== height) {
      this.canvas.width = width
      this.canvas.height = height
      this.image = new ImageData(width, height)
      this.picture = { pixels: new Uint32Array(this.image.data.buffer), width, height }
    }
    this.picture!.pixels.fill(0)
    return this.picture!
  }

  /** The picture is done: put it where it belongs. */
  end(target: CanvasRenderingContext2D, x: number, y: number): void {
    this.context?.putImageData(this.image!, 0, 0)
    this.show(target, x, y)
  }

  /** Put it there once more, its pixels enlarged without blur. */
  show(target: CanvasRenderingContext2D, x: number, y: number): void {
    target.imageSmoothingEnabled = false
    target.drawImage(this.canvas, x, y)
  }
}

/** Draw everything but the overlay. */
export function paint(context: CanvasRenderingContext2D, scene: Scene, layer: PixelLayer): void {
  const { palette, width, height, labels, ratio } = scene
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.fillStyle = palette.surface
  context.fillRect(0, 0, width, height)
  const bottom = height - AXIS
  const marks = ticks(
    scene.data.base + scene.span.from,
    scene.data.base + scene.span.to,
    Math.floor(plotWidth(scene) / 96),
    scene.zone,
  )
  const xs = marks.map((tick) => Math.round(xOf(scene, tick.at - scene.data.base)) + 0.5)

  context.save()
  context.beginPath()
  context.rect(labels, 0, width - labels, bottom)
  context.clip()
  context.strokeStyle = palette.line
  context.lineWidth = 1
  context.beginPath()
  for (const x of xs) {
    context.moveTo(x, 0)
    context.lineTo(x, bottom)
  }
  context.stroke()
  paintTracks(context, scene, layer)
  context.restore()

  paintLabels(context, scene)
  paintAxis(context, scene, marks, xs)
}

function paintTracks(context: CanvasRenderingContext2D, scene: Scene, layer: PixelLayer): void {
  const { plan, arrangement, height, palette, labels } = scene
  const bottom = height - AXIS
  const inBars: number[] = []
  const inPixels: number[] = []
  for (let number = 0; number < plan.tracks.length; number++) {
    const row = arrangement.rows[number]!
    const top = topOf(scene, row)
    if (top + row.height <= 0 || top >= bottom) continue
    if (row.pitch >= LOWEST_BAR && barsInView(scene, plan.tracks[number]!) <= MOST_BARS) inBars.push(number)
    else inPixels.push(number)
  }
  if (inPixels.length > 0) {
    const picture = layer.begin(Math.ceil(plotWidth(scene)), Math.max(1, Math.ceil(bottom)))
    for (const number of inPixels) paintPixels(picture, scene, plan.tracks[number]!, arrangement.rows[number]!)
    layer.end(context, labels, 0)
  }
  for (const number of inBars) paintBars(context, scene, plan.tracks[number]!, arrangement.rows[number]!)
  context.strokeStyle = palette.line
  context.lineWidth = 1
  context.beginPath()
  for (let number = 1; number < plan.tracks.length; number++) {
    const y = Math.round(topOf(scene, arrangement.rows[number]!)) - 0.5
    if (y < 0 || y > bottom) continue
    context.moveTo(labels, y)
    context.lineTo(scene.width, y)
  }
  context.stroke()
}

function barsInView(scene: Scene, track: Track): number {
  let bars = 0
  for (let lane = 0; lane < track.lanes && bars <= MOST_BARS; lane++) {
    bars += lastBefore(track, lane, scene.span.to) - firstAfter(track, lane, scene.span.from)
  }
  return bars
}

function paintPixels(picture: Picture, scene: Scene, track: Track, row: Row): void {
  const { span, now, palette } = scene
  const top = Math.round(HEAD + row.laneTop - scene.scroll)
  if (row.pitch > 0) {
    paintLanes(picture, track, top, row.pitch, span, now, palette.pixels)
  } else {
    const density = measure([track], span, now, picture.width)
    paintDensity(picture, density, top, row.lanesHeight, track.lanes, palette.pixels)
  }
}

function paintBars(context: CanvasRenderingContext2D, scene: Scene, track: Track, row: Row): void {
  const thick = barHeight(row.pitch)
  const top = Math.round(HEAD + row.laneTop - scene.scroll)
  if (track.waiting > 0) paintWaiting(context, scene, track, row)
  for (let lane = 0; lane < track.lanes; lane++) {
    const y = top + lane * row.pitch + Math.floor((row.pitch - thick) / 2)
    if (y + thick < 0) continue
    if (y > scene.height) break
    const end = lastBefore(track, lane, scene.span.to)
    const first = firstAfter(track, lane, timeAt(scene, scene.labels - FAILURE_WIDTH))
    let free = first > track.laneAt[lane]! ? xOf(scene, track.until[first - 1]!) : 0
    for (let at = first; at < end; at++) free = paintBar(context, scene, track.rows[at]!, y, thick, free)
    // The next one to come may have been waiting for a while already.
    if (end < track.laneAt[lane + 1]!) paintWait(context, scene, track.rows[end]!, y + thick / 2, free)
  }
}

/** Draw one bar; `free`: where the one before ends. Returns where this one ends. */
function paintBar(
  context: CanvasRenderingContext2D,
  scene: Scene,
  row: number,
  y: number,
  thick: number,
  free: number,
): number {
  const { data, palette } = scene
  const family = familyOfRow(data, row)
  const left = xOf(scene, drawnFrom(data, row))
  const right = xOf(scene, drawnUntil(data, row, scene.now))
  const wide = Math.max(right - left, isFailure(family) ? FAILURE_WIDTH : 1.5)
  paintWait(context, scene, row, y + thick / 2, free)
  context.fillStyle = palette.fill[family]!
  if (Number.isNaN(data.columns.start[row]!)) {
    paintNeverRan(context, palette.fill[family]!, left, y, thick, family === SUCCESS)
  } else if (data.columns.kind[row] === FLOW) {
    paintFlow(context, scene, row, left, wide, y, thick)
  } else {
    // A hair between neighbours that touch.
    const drawn = wide > 6 ? wide - 0.75 : wide
    // Far outside a rounded corner cannot be seen, and huge coordinates draw badly.
    const from = Math.max(left, scene.labels - 8)
    const until = Math.min(left + drawn, scene.width + 8)
    if (drawn < 5) context.fillRect(left, y, drawn, thick)
    else {
      context.beginPath()
      context.roundRect(from, y, Math.max(0, until - from), thick, 2)
      context.fill()
    }
    if (wide > LABEL_ROOM && thick >= 12)
      paintBarText(context, scene, row, left, wide, y, thick, palette.onFill[family]!)
  }
  return Math.max(right, left + wide)
}

/** From its creation to its start a hairline leads to the bar. */
function paintWait(context: CanvasRenderingContext2D, scene: Scene, row: number, y: number, free: number): void {
  const { created, start } = scene.data.columns
  if (Number.isNaN(start[row]!)) return
  const left = Math.max(xOf(scene, created[row]!), free + 2, scene.labels - 8)
  const right = Math.min(xOf(scene, start[row]!), scene.width)
  if (right - left < 2) return
  context.fillStyle = scene.palette.fill[WAITING]!
  context.fillRect(left, Math.floor(y), right - left, 1)
  context.fillRect(left, Math.floor(y) - 2, 1, 5)
}

/** It ended without having run: a hollow mark, dashed when it was skipped. */
function paintNeverRan(
  context: CanvasRenderingContext2D,
  colour: string,
  x: number,
  y: number,
  thick: number,
  isSkipped: boolean,
): void {
  context.strokeStyle = colour
  context.lineWidth = 1.5
  context.setLineDash(isSkipped ? [2, 2] : [])
  context.strokeRect(x - 3.5, y + thick / 2 - 4, 8, 8)
  context.setLineDash([])
}

/** A child flow run is a thin bracket around the time of what it ran: its own page tells the rest. */
function paintFlow(
  context: CanvasRenderingContext2D,
  scene: Scene,
  row: number,
  left: number,
  wide: number,
  y: number,
  thick: number,
): void {
  const from = Math.max(left, scene.labels - 8)
  const until = Math.min(left + wide, scene.width + 8)
  const middle = Math.round(y + thick / 2)
  context.fillRect(from, middle - 1, until - from, 2)
  context.fillRect(left, y, 2, thick)
  if (!Number.isNaN(scene.data.columns.end[row]!)) context.fillRect(left + wide - 2, y, 2, thick)
  const text = `${scene.data.label(row)} →`
  context.font = `12px ${scene.palette.fontUi}`
  const textWidth = context.measureText(text).width
  const x = Math.max(left, scene.labels) + 10
  if (x + textWidth + 12 > until) return
  context.fillStyle = scene.palette.surface
  context.fillRect(x - 4, y, textWidth + 8, thick)
  context.fillStyle = scene.palette.ink2
  context.textBaseline = 'middle'
  context.textAlign = 'left'
  context.fillText(text, x, middle + 0.5)
}

function paintBarText(
  context: CanvasRenderingContext2D,
  scene: Scene,
  row: number,
  left: number,
  wide: number,
  y: number,
  thick: number,
  colour: string,
): void {
  const { data } = scene
  const x = Math.max(left, scene.labels) + 6
  const room = Math.min(left + wide, scene.width) - x - 6
  const index = data.columns.index[row]!
  const seconds = (drawnUntil(data, row, scene.now) - drawnFrom(data, row)) / 1e6
  const duration = formatDuration(seconds)
  context.font = `11px ${scene.palette.fontNumbers}`
  const text = index < 0 ? duration : `[${index}] ${duration}`
  const shown = [text, index < 0 ? '' : `[${index}]`].find((each) => each && context.measureText(each).width <= room)
  if (!shown) return
  context.fillStyle = colour
  context.textBaseline = 'middle'
  context.textAlign = 'left'
  context.fillText(shown, x, y + thick / 2 + 0.5)
}

/** Rows that have not started have no place in time yet: one dashed line says since when they wait. */
function paintWaiting(context: CanvasRenderingContext2D, scene: Scene, track: Track, row: Row): void {
  if (track.lanes > 0) return
  const y = Math.round(topOf(scene, row) + row.height - (scene.labels ? row.height / 2 : 13)) + 0.5
  const colour = scene.palette.fill[WAITING]!
  const left = Math.max(xOf(scene, track.waitsSince), scene.labels)
  const right = Math.min(xOf(scene, scene.now), scene.width)
  context.strokeStyle = colour
  context.lineWidth = 1
  context.setLineDash([2, 3])
  context.beginPath()
  context.moveTo(left, y)
  context.lineTo(right, y)
  context.stroke()
  context.setLineDash([])
}

function paintAxis(
  context: CanvasRenderingContext2D,
  scene: Scene,
  marks: ReturnType<typeof ticks>,
  xs: number[],
): void {
  const { palette, width, height, labels, data, zone } = scene
  const top = height - AXIS
  context.fillStyle = palette.surface
  context.fillRect(0, top, width, AXIS)
  context.fillStyle = palette.line
  context.fillRect(0, top, width, 1)
  context.textBaseline = 'middle'
  context.textAlign = 'center'
  let free = labels + 4
  scene.axisLabels = []
  marks.forEach((tick, number) => {
    context.font = `${tick.isDay ? '600 ' : ''}12px ${palette.fontNumbers}`
    const half = context.measureText(tick.label).width / 2
    const x = xs[number]!
    if (x - half < free || x + half > width - 4) return
    context.fillStyle = tick.isDay ? palette.ink : palette.ink3
    context.fillText(tick.label, x, top + AXIS / 2)
    context.fillStyle = palette.lineStrong
    context.fillRect(x - 0.5, top, 1, 4)
    scene.axisLabels.push([x - half, x + half])
    free = x + half + 8
  })
  if (labels === 0) return
  const at = data.base + Math.max(scene.span.from, scene.plan.first)
  context.textAlign = 'left'
  context.font = `11px ${palette.fontNumbers}`
  context.fillStyle = palette.ink3
  context.fillText(`${dayLabel(at, zone)} ${zoneLabel(at, zone)}`, 12, top + AXIS / 2)
}
