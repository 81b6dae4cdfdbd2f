/** The whole run in a strip: how much was under way when, marks of what failed, and a frame around what is shown. */

import { PixelLayer } from './paint'
import { measure, paintDensity } from './pixels'
import type { Scene } from './scene'
import type { Stage } from './stage'
import { panSpan, type Span } from './view'

export const MINIMAP = 36
const INSET = 4
/** How near to an edge of the frame a press takes hold of it. */
const EDGE = 6

export class Minimap {
  private readonly layer = new PixelLayer()
  private readonly ends: (() => void)[] = []
  private drawn: { version: number; plan: unknown; width: number; whole: Span; palette: unknown } | undefined

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly stage: Stage,
  ) {
    stage.afterPaint = (scene, whole) => this.paint(scene, whole)
    this.listen()
  }

  destroy(): void {
    this.stage.afterPaint = undefined
    for (const end of this.ends) end()
  }

  private paint(scene: Scene, whole: Span): void {
    const { canvas } = this
    const { width } = scene
    const { ratio, palette, span, labels } = scene
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== MINIMAP * ratio) {
      canvas.width = Math.round(width * ratio)
      canvas.height = MINIMAP * ratio
      this.drawn = undefined
    }
    const context = canvas.getContext('2d', { alpha: false })!
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.fillStyle = palette.surface
    context.fillRect(0, 0, width, MINIMAP)
    context.fillStyle = palette.sunken
    context.fillRect(labels, INSET, width - labels, MINIMAP - 2 * INSET)
    this.paintRows(context, scene, whole)
    if (labels > 0) {
      context.font = `11px ${palette.fontUi}`
      context.fillStyle = palette.ink3
      context.textBaseline = 'middle'
      context.fillText('Whole run', 12, MINIMAP / 2)
    }

    const scale = (width - labels) / (whole.to - whole.from)
    const left = Math.max(labels, labels + (span.from - whole.from) * scale)
    const right = Math.min(width, labels + (span.to - whole.from) * scale)
    if (right - left < width - labels - 2) {
      context.fillStyle = palette.surface
      context.globalAlpha = 0.66
      context.fillRect(labels, INSET, left - labels, MINIMAP - 2 * INSET)
      context.fillRect(right, INSET, width - right, MINIMAP - 2 * INSET)
      context.globalAlpha = 1
    }
    context.strokeStyle = palette.lineStrong
    context.lineWidth = 1.5
    context.strokeRect(left + 0.75, INSET - 0.25, Math.max(4, right - left - 1.5), MINIMAP - 2 * INSET + 0.5)
    context.fillStyle = palette.line
    context.fillRect(0, MINIMAP - 1, width, 1)
  }

  /** The rows are counted anew when they changed, or when the present has moved by a pixel; not at every pan. */
  private paintRows(context: CanvasRenderingContext2D, scene: Scene, whole: Span): void {
    const width = Math.ceil(scene.width - scene.labels)
    const tall = MINIMAP - 2 * INSET
    const { data, plan, palette } = scene
    const perPixel = (whole.to - whole.from) / width
    const { drawn } = this
    const isSame =
      drawn?.version === data.version &&
      drawn.plan === plan &&
      drawn.width === width &&
      drawn.palette === palette &&
      Math.abs(drawn.whole.to - whole.to) < perPixel
    if (isSame) {
      this.layer.show(context, scene.labels, INSET)
      return
    }
    const density = measure(plan.tracks, whole, scene.now, width)
    let peak = 1
    for (let x = 0; x < width; x++) {
      let sum = 0
      for (let at = x; at < density.share.length; at += width) sum += density.share[at]!
      peak = Math.max(peak, sum)
    }
    paintDensity(this.layer.begin(width, tall), density, 0, tall, peak * 1.1, palette.pixels)
    this.layer.end(context, scene.labels, INSET)
    this.drawn = { version: data.version, plan, width, whole, palette }
  }

  private listen(): void {
    const { canvas, stage } = this
    let grip: { kind: 'move' | 'from' | 'to' | 'new'; time: number; span: Span } | undefined
    const frame = () => {
      const scene = stage.current!
      const whole = stage.whole()
      const scale = (scene.width - scene.labels) / (whole.to - whole.from)
      const x = (time: number) => scene.labels + (time - whole.from) * scale
      const time = (at: number) => whole.from + (Math.max(at, scene.labels) - scene.labels) / scale
      return { scene, whole, x, time }
    }
    const gripAt = (at: number) => {
      const { scene, x, whole } = frame()
      if (Math.abs(at - x(scene.span.from)) < EDGE) return 'from'
      if (Math.abs(at - x(scene.span.to)) < EDGE) return 'to'
      const isWhole = scene.span.to - scene.span.from > 0.98 * (whole.to - whole.from)
      return !isWhole && at > x(scene.span.from) && at < x(scene.span.to) ? 'move' : 'new'
    }
    const place = (event: PointerEvent) => event.clientX - canvas.getBoundingClientRect().left
    const onDown = (event: PointerEvent) => {
      if (!stage.current || event.button !== 0) return
      canvas.setPointerCapture(event.pointerId)
      grip = { kind: gripAt(place(event)), time: frame().time(place(event)), span: { ...stage.current.span } }
    }
    const onMove = (event: PointerEvent) => {
      if (!stage.current) return
      const at = place(event)
      if (!grip) {
        canvas.style.cursor = { move: 'grab', from: 'ew-resize', to: 'ew-resize', new: 'crosshair' }[gripAt(at)]
        return
      }
      const { time, whole } = frame()
      const { span } = grip
      const now = time(at)
      if (grip.kind === 'move') stage.show(panSpan(span, now - grip.time, whole))
      else if (grip.kind === 'from') stage.show({ from: Math.min(now, span.to - 1), to: span.to })
      else if (grip.kind === 'to') stage.show({ from: span.from, to: Math.max(now, span.from + 1) })
      else if (now !== grip.time) stage.show({ from: Math.min(now, grip.time), to: Math.max(now, grip.time) })
    }
    const onUp = () => {
      grip = undefined
    }
    const listeners: [string, (event: PointerEvent) => void][] = [
      ['pointerdown', onDown],
      ['pointermove', onMove],
      ['pointerup', onUp],
      ['pointercancel', onUp],
    ]
    for (const [name, listener] of listeners) canvas.addEventListener(name, listener as EventListener)
    this.ends.push(() => {
      for (const [name, listener] of listeners) canvas.removeEventListener(name, listener as EventListener)
    })
  }
}
