/** Names, counts and state shares of the tracks, at the left of them or, on a narrow screen, above. */

import { formatCount } from '@/lib/time'
import { drawGlyph } from '../glyphs'
import { shareWidths, shorten } from '../share'
import { FAMILIES, FAMILY_COUNT } from './family'
import { AXIS, type Scene, topOf } from './scene'
import type { Track } from './tracks'

const INSET = 12
const GLYPH = 10
const UNFINISHED = (['waiting', 'running', 'attention'] as const).map((family) => FAMILIES.indexOf(family))

/** Draw the names of all tracks in view. A track that is scrolled half out keeps its name in sight. */
export function paintLabels(context: CanvasRenderingContext2D, scene: Scene): void {
  const { plan, arrangement, height, labels, palette, width } = scene
  const bottom = height - AXIS
  if (labels > 0) {
    context.fillStyle = palette.surface
    context.fillRect(0, 0, labels, height)
    context.fillStyle = palette.line
    context.fillRect(labels - 1, 0, 1, bottom)
  }
  const right = (labels || width) - INSET
  plan.tracks.forEach((track, number) => {
    const row = arrangement.rows[number]!
    const top = topOf(scene, row)
    if (top + row.height <= 0 || top >= bottom) return
    if (number > 0 && labels > 0) {
      context.fillStyle = palette.line
      context.fillRect(0, Math.round(top) - 1, labels, 1)
    }
    const need = labels === 0 ? 18 : Math.min(row.height, 32)
    const y = Math.min(Math.max(top, 0), top + row.height - need)
    if (labels > 0) paintBeside(context, scene, track, y, row.height - (y - top), right)
    else paintAbove(context, scene, track, y, right)
  })
}

function paintBeside(
  context: CanvasRenderingContext2D,
  scene: Scene,
  track: Track,
  y: number,
  room: number,
  right: number,
): void {
  const isMany = track.total > 1
  // With a share bar the name moves up; in a high track all of it stays together at the top.
  const line = y + (isMany ? 13 : Math.min(room, 32) / 2)
  paintName(context, scene, track, line, INSET, right)
  if (!isMany) return
  paintShare(context, scene, track, y + 23, INSET, right)
  if (room < 56) return
  const worst = FAMILIES.map((_, family) => family).filter((family) => family !== 0 && track.counts[family]! > 0)
  worst.reverse().forEach((family, place) => {
    const below = y + 41 + place * 17
    if (below + 8 > y + room) return
    paintGlyph(context, scene, family, INSET + GLYPH / 2, below)
    const count = formatCount(track.counts[family]!)
    const x = INSET + GLYPH + 6
    context.fillStyle = scene.palette.text[family]!
    context.font = `12px ${scene.palette.fontNumbers}`
    context.fillText(count, x, below)
    const after = x + context.measureText(count).width + 5
    context.font = `12px ${scene.palette.fontUi}`
    context.fillText(FAMILIES[family]!, after, below)
  })
}

function paintAbove(context: CanvasRenderingContext2D, scene: Scene, track: Track, y: number, right: number): void {
  const { palette } = scene
  // Sticky over its own bars: on a ground of its own.
  context.fillStyle = palette.surface
  context.fillRect(0, y, right + INSET, 20)
  paintName(context, scene, track, y + 11, INSET, right)
}

function paintName(
  context: CanvasRenderingContext2D,
  scene: Scene,
  track: Track,
  y: number,
  left: number,
  right: number,
): void {
  const { palette } = scene
  paintGlyph(context, scene, worstOf(track), left + GLYPH / 2, y)
  context.textBaseline = 'middle'
  const side = sideText(track)
  context.font = `12px ${palette.fontNumbers}`
  const sideWidth = side ? context.measureText(side).width + 8 : 0
  context.textAlign = 'left'
  context.font = `600 13px ${palette.fontUi}`
  context.fillStyle = palette.ink
  const name = fitText(context, track.name, right - left - GLYPH - 6 - sideWidth)
  const x = left + GLYPH + 6
  context.fillText(name, x, y)
  if (!side) return
  // Beside the tracks counts stand in a column; above them they follow the name, as the time goes on to the right.
  const after = scene.labels > 0 ? right - sideWidth + 8 : x + context.measureText(name).width + 8
  context.font = `12px ${palette.fontNumbers}`
  context.fillStyle = palette.ink3
  context.fillText(side, after, y)
}

/** `98 412 / 100 000` done while some are not, else `×100 000`; what kind it is when it is not a task. */
function sideText(track: Track): string {
  if (track.total === 1) return track.kind === 'flow' ? 'flow' : ''
  const open = UNFINISHED.reduce((sum, family) => sum + track.counts[family]!, 0)
  if (open === 0) return `×${formatCount(track.total)}`
  return `${formatCount(track.total - open)}/${formatCount(track.total)}`
}

export function worstOf(track: Track): number {
  for (let family = FAMILY_COUNT - 1; family > 0; family--) if (track.counts[family]! > 0) return family
  return 0
}

function paintGlyph(context: CanvasRenderingContext2D, scene: Scene, family: number, x: number, y: number): void {
  context.strokeStyle = scene.palette.text[family]!
  context.fillStyle = scene.palette.text[family]!
  drawGlyph(context, FAMILIES[family]!, x, y, GLYPH)
}

/** A bar of the states' shares; a share that is there is at least two pixels wide. */
function paintShare(
  context: CanvasRenderingContext2D,
  scene: Scene,
  track: Track,
  y: number,
  left: number,
  right: number,
): void {
  const widths = shareWidths(track.counts, right - left)
  let x = left
  widths.forEach((width, family) => {
    context.fillStyle = scene.palette.fill[family]!
    context.fillRect(x, y, width, 4)
    x += width
  })
}

const fitted = new Map<string, string>()

/** A text that fits, its middle left out if it must: names differ at their ends. */
export function fitText(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text
  const key = `${context.font}|${Math.floor(width)}|${text}`
  let short = fitted.get(key)
  if (short === undefined) {
    let low = 1
    let high = text.length
    while (low < high) {
      const keep = Math.ceil((low + high) / 2)
      if (context.measureText(shorten(text, keep)).width <= width) low = keep
      else high = keep - 1
    }
    short = shorten(text, low)
    if (fitted.size > 2000) fitted.clear()
    fitted.set(key, short)
  }
  return short
}
