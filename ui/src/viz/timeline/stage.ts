/**
 * The drawn timeline outside React: holds the view, draws when something changed, at most once a frame.
 *
 * Nothing runs while nothing changes: a finished run costs no time at all, a running one a frame per half pixel that
 * its line of the present moves.
 */

import { type Palette, readPalette, watchTheme } from '../palette'
import type { TimelineData } from './data'
import type { Marks } from './overlay'
import { paintOverlay } from './overlay'
import { PixelLayer, paint } from './paint'
import { drawnUntil } from './pixels'
import { AXIS, boxOf, HEAD, labelWidth, plotWidth, type Scene } from './scene'
import { drawnFrom, type Plan } from './tracks'
import { arrange, clampSpan, fitSpan, panSpan, type Span, zoomSpan } from './view'

export interface StageProps {
  data: TimelineData
  plan: Plan
  /** The server's clock, µs since the epoch, when it was told. */
  now: number
  isLive: boolean
  zone: string
  /** µs since the epoch; undefined: all of it. */
  range: readonly [number, number] | undefined
  selected: number | undefined
  maxHeight: number
}

export interface StageEvents {
  /** The view came to rest at another range; undefined: all of it. */
  onRange(range: readonly [number, number] | undefined): void
  /** Something else is to be seen now (range, scroll or size). */
  onView(): void
  /** The height that the tracks need. */
  onHeight(height: number, content: number): void
}

/** The view has come to rest when it has not moved for so long. */
const REST_MS = 200
/** µs */
const CLOCK_SLACK = 700_000

export class Stage {
  readonly marks: Marks = { hovered: -1, selected: -1, cursor: -1, isFocused: false }
  /** Called after each frame, with the same scene: the minimap. */
  afterPaint: ((scene: Scene, whole: Span) => void) | undefined

  private props: StageProps | undefined
  private scene: Scene | undefined
  private palette: Palette
  private readonly layer = new PixelLayer()
  private isFollowing = true
  private lastRange = ''
  /** A row was chosen elsewhere: it is brought into view once there is something to see. */
  private mustReveal = false
  private clock = { told: 0, at: 0 }
  private frame = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private restTimer: ReturnType<typeof setTimeout> | undefined
  private isBaseDirty = true
  private size = { width: 0, height: 0, told: '' }
  private readonly ends: (() => void)[] = []
  private readonly calm = matchMedia('(prefers-reduced-motion: reduce)')

  constructor(
    private readonly scroller: HTMLElement,
    private readonly base: HTMLCanvasElement,
    private readonly overlay: HTMLCanvasElement,
    private readonly events: StageEvents,
  ) {
    this.palette = readPalette(scroller)
    const resize = new ResizeObserver(() => this.resize())
    resize.observe(scroller)
    this.ends.push(() => resize.disconnect())
    this.ends.push(
      watchTheme(() => {
        this.palette = readPalette(scroller)
        this.redraw()
      }),
    )
    const onScroll = () => {
      this.redraw()
      this.rest()
    }
    scroller.addEventListener('scroll', onScroll, { passive: true })
    this.ends.push(() => scroller.removeEventListener('scroll', onScroll))
    // Text that was measured before its font came is measured again.
    document.fonts?.ready.then(() => this.redraw())
  }

  destroy(): void {
    for (const end of this.ends) end()
    cancelAnimationFrame(this.frame)
    clearTimeout(this.timer)
    clearTimeout(this.restTimer)
  }

  set(props: StageProps): void {
    const before = this.props
    this.props = props
    this.tell(props.now, before)
    const range = props.range ? props.range.join() : ''
    if (!before || range !== this.lastRange) {
      this.lastRange = range
      this.isFollowing = props.range === undefined
      if (this.scene && props.range) this.scene.span = this.relative(props.range)
    }
    this.marks.selected = props.selected === undefined ? -1 : props.data.rowOf(props.selected)
    this.build()
    this.mustReveal ||= before?.selected !== props.selected && this.marks.selected >= 0
    if (before?.data !== props.data || before?.plan !== props.plan) this.rest()
    this.redraw()
  }

  /** What was drawn last; undefined before there was anything to draw. */
  get current(): Scene | undefined {
    return this.scene
  }

  /** All there is to see. */
  whole(): Span {
    const { plan, isLive } = this.props!
    return fitSpan(plan, this.now(), isLive, Math.max(1, this.size.width - labelWidth(this.size.width)))
  }

  /** The present in the data's time. While the run goes on it moves on from what the server told. */
  now(): number {
    const { data, isLive } = this.props!
    const since = isLive ? (performance.now() - this.clock.at) * 1000 : 0
    return this.clock.told + since - data.base
  }

  /** Take the server's clock over. Small differences would only make the line of the present shake. */
  private tell(now: number, before: StageProps | undefined): void {
    const isNear =
      before?.isLive && this.props!.isLive && Math.abs(now - this.props!.data.base - this.now()) < CLOCK_SLACK
    if (!isNear) this.clock = { told: now, at: performance.now() }
  }

  zoom(factor: number, anchor?: number): void {
    if (!this.scene) return
    const { span } = this.scene
    this.show(zoomSpan(span, anchor ?? (span.from + span.to) / 2, factor, this.whole()))
  }

  /** Pan by a part of the view: 0.5 is half a screen later. */
  pan(part: number): void {
    if (this.scene)
      this.show(panSpan(this.scene.span, part * (this.scene.span.to - this.scene.span.from), this.whole()))
  }

  /** Show a range of the data's time. */
  show(span: Span): void {
    if (!this.scene) return
    this.scene.span = clampSpan(span, this.whole())
    this.isFollowing = false
    this.rest()
    this.redraw()
  }

  /** Show everything, and go on showing everything. */
  fit(): void {
    this.isFollowing = true
    this.rest()
    this.redraw()
  }

  /** Bring a row into view, with as little movement as that takes. */
  reveal(row: number): void {
    if (!this.scene) return
    const box = boxOf(this.scene, row)
    if (!box) return
    const view = this.scene.height - AXIS
    if (box.top < 0) this.scroller.scrollTop += box.top - HEAD
    else if (box.bottom > view) this.scroller.scrollTop += box.bottom - view + HEAD
    if (box.right < this.scene.labels || box.left > this.scene.width) {
      const { span } = this.scene
      const perPixel = (span.to - span.from) / plotWidth(this.scene)
      const middle = this.scene.labels + plotWidth(this.scene) / 2
      this.show(panSpan(span, (Math.min(box.left, box.right) - middle) * perPixel, this.whole()))
    }
  }

  /** Show one row with as much again around it. */
  showRow(row: number): void {
    if (!this.scene) return
    const from = drawnFrom(this.scene.data, row)
    const until = drawnUntil(this.scene.data, row, this.now())
    const margin = Math.max((until - from) / 2, 1000)
    this.show({ from: from - margin, to: until + margin })
  }

  scrollBy(pixels: number): void {
    this.scroller.scrollTop += pixels
  }

  /** Draw the marks anew, the tracks only if they changed. */
  redrawMarks(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.draw())
  }

  redraw(): void {
    this.isBaseDirty = true
    this.redrawMarks()
  }

  private relative([from, to]: readonly [number, number]): Span {
    return { from: from - this.props!.data.base, to: to - this.props!.data.base }
  }

  private resize(): void {
    const { clientWidth, clientHeight } = this.scroller
    if (clientWidth === this.size.width && clientHeight === this.size.height) return
    this.size.width = clientWidth
    this.size.height = clientHeight
    this.build()
    this.rest()
    this.redraw()
  }

  /** Make the scene for the present props and size. */
  private build(): void {
    const { props, size } = this
    if (!props || size.width === 0) return
    const labels = labelWidth(size.width)
    const arrangement = arrange(props.plan, props.maxHeight - AXIS - HEAD, labels === 0)
    const content = HEAD + arrangement.height + AXIS
    // Scrolling is for much that is out of sight, not for a last row.
    const shown = content <= props.maxHeight * 1.2 ? content : props.maxHeight
    const told = `${shown},${content}`
    if (told !== size.told) {
      size.told = told
      this.events.onHeight(shown, content)
    }
    const span = this.scene?.span ?? (props.range ? this.relative(props.range) : this.whole())
    this.scene = {
      data: props.data,
      plan: props.plan,
      arrangement,
      span,
      now: this.now(),
      isLive: props.isLive,
      zone: props.zone,
      palette: this.palette,
      width: size.width,
      height: size.height,
      labels,
      scroll: 0,
      ratio: 1,
      axisLabels: this.scene?.axisLabels ?? [],
    }
  }

  private draw(): void {
    this.frame = 0
    const { scene, props } = this
    if (!scene || !props || scene.height <= AXIS) return
    scene.now = this.now()
    scene.palette = this.palette
    scene.scroll = this.scroller.scrollTop
    scene.ratio = Math.min(3, window.devicePixelRatio || 1)
    if (this.isFollowing) scene.span = this.whole()
    if (this.mustReveal) {
      this.mustReveal = false
      this.reveal(this.marks.selected)
      scene.scroll = this.scroller.scrollTop
    }
    fitCanvas(this.overlay, scene)
    if (fitCanvas(this.base, scene) || this.isBaseDirty) {
      this.isBaseDirty = false
      paint(this.base.getContext('2d', { alpha: false })!, scene, this.layer)
      this.afterPaint?.(scene, this.whole())
    }
    paintOverlay(this.overlay.getContext('2d')!, scene, this.marks)
    this.scheduleNow(scene)
  }

  /** While the run goes on: the next frame when the present has moved by half a pixel. */
  private scheduleNow(scene: Scene): void {
    clearTimeout(this.timer)
    if (!scene.isLive) return
    const halfPixel = (scene.span.to - scene.span.from) / plotWidth(scene) / 2000
    const least = this.calm.matches ? 1000 : 33
    this.timer = setTimeout(() => this.redraw(), Math.min(Math.max(halfPixel, least), 1000))
  }

  /** After a pause tell where the view came to rest. */
  private rest(): void {
    clearTimeout(this.restTimer)
    this.restTimer = setTimeout(() => {
      const { scene, props } = this
      if (!scene || !props) return
      const { from, to } = scene.span
      const range = this.isFollowing
        ? undefined
        : ([Math.round(props.data.base + from), Math.round(props.data.base + to)] as const)
      const text = range ? range.join() : ''
      if (text !== this.lastRange) {
        this.lastRange = text
        this.events.onRange(range)
      }
      this.events.onView()
    }, REST_MS)
  }
}

function fitCanvas(canvas: HTMLCanvasElement, scene: Scene): boolean {
  const width = Math.round(scene.width * scene.ratio)
  const height = Math.round(scene.height * scene.ratio)
  if (canvas.width === width && canvas.height === height) return false
  canvas.width = width
  canvas.height = height
  return true
}
