/** Pointer, wheel and touch on the timeline: pan, zoom, draw a range, point at and choose rows. */

import { AXIS, type Hit, hitAt, timeAt } from './scene'
import type { Stage } from './stage'
import { panSpan, zoomSpan } from './view'

export interface Pointing {
  hit: Hit
  x: number
  y: number
}

export interface GestureEvents {
  onPoint(pointing: Pointing | undefined): void
  onChoose(row: number): void
}

/** A press that moves less is a click. */
const CLICK = 4

interface Press {
  kind: 'pan' | 'brush' | 'pinch'
  x: number
  y: number
  hasMoved: boolean
}

/** Listen on the element that holds the canvases; returns what ends it. */
export function listen(element: HTMLElement, stage: Stage, events: GestureEvents): () => void {
  const touches = new Map<number, { x: number; y: number }>()
  let press: Press | undefined
  let pinch = { distance: 0, middle: 0 }

  const place = (event: MouseEvent) => {
    const box = element.getBoundingClientRect()
    return { x: event.clientX - box.left, y: event.clientY - box.top }
  }

  const point = (at: { x: number; y: number } | undefined) => {
    const scene = stage.current
    if (!scene) return
    const hit = at && !press?.hasMoved ? hitAt(scene, at.x, at.y) : undefined
    stage.marks.pointer = at
    stage.marks.hovered = hit?.row ?? -1
    const isOverAxis = at && at.x > scene.labels && (at.y > scene.height - AXIS || press?.kind === 'brush')
    element.style.cursor = isOverAxis
      ? 'col-resize'
      : press?.hasMoved
        ? 'grabbing'
        : (hit?.row ?? -1) >= 0
          ? 'pointer'
          : ''
    events.onPoint(at && hit ? { hit, ...at } : undefined)
    stage.redrawMarks()
  }

  const spread = () => {
    const [one, other] = [...touches.values()]
    return { distance: Math.max(20, Math.abs(one!.x - other!.x)), middle: (one!.x + other!.x) / 2 }
  }

  const onDown = (event: PointerEvent) => {
    const scene = stage.current
    if (!scene || event.button !== 0) return
    const at = place(event)
    touches.set(event.pointerId, at)
    if (touches.size === 2) {
      press = { kind: 'pinch', ...at, hasMoved: true }
      pinch = spread()
      return
    }
    const isBrush = event.shiftKey || at.y > scene.height - AXIS
    press = { kind: isBrush && at.x > scene.labels ? 'brush' : 'pan', ...at, hasMoved: false }
  }

  const onMove = (event: PointerEvent) => {
    const scene = stage.current
    if (!scene) return
    const at = place(event)
    const before = touches.get(event.pointerId)
    if (!press || !before) {
      if (event.pointerType === 'mouse') point(at)
      return
    }
    touches.set(event.pointerId, at)
    if (press.kind === 'pinch') {
      const now = spread()
      const anchor = timeAt(scene, pinch.middle)
      const moved = anchor - timeAt(scene, now.middle)
      stage.show(
        panSpan(zoomSpan(scene.span, anchor, pinch.distance / now.distance, stage.whole()), moved, stage.whole()),
      )
      pinch = now
      return
    }
    if (!press.hasMoved && Math.hypot(at.x - press.x, at.y - press.y) > CLICK) {
      press.hasMoved = true
      // Captured only once it moves, so that a click still reaches what it was made on.
      element.setPointerCapture(event.pointerId)
    }
    if (!press.hasMoved) return
    if (press.kind === 'brush') stage.marks.brush = { from: press.x, to: at.x }
    else {
      stage.show(panSpan(scene.span, timeAt(scene, before.x) - timeAt(scene, at.x), stage.whole()))
      if (event.pointerType === 'mouse') stage.scrollBy(before.y - at.y)
    }
    point(at)
  }

  const onUp = (event: PointerEvent) => {
    const scene = stage.current
    touches.delete(event.pointerId)
    if (!press || !scene) return
    const { brush } = stage.marks
    if (press.kind === 'brush' && press.hasMoved && brush) {
      const [from, to] = [brush.from, brush.to].sort((a, b) => a - b)
      stage.show({ from: timeAt(scene, Math.max(from!, scene.labels)), to: timeAt(scene, to!) })
    } else if (!press.hasMoved && event.type === 'pointerup') {
      const at = place(event)
      events.onChoose(hitAt(scene, at.x, at.y).row)
    }
    stage.marks.brush = undefined
    press = touches.size > 0 ? { kind: 'pan', x: 0, y: 0, hasMoved: true } : undefined
    point(event.pointerType === 'mouse' ? place(event) : undefined)
  }

  const onLeave = () => {
    if (!press) point(undefined)
  }

  const onWheel = (event: WheelEvent) => {
    const scene = stage.current
    if (!scene) return
    const unit = event.deltaMode === 1 ? 20 : 1
    const isSideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault()
      const amount = Math.min(Math.max(event.deltaY * unit, -150), 150)
      stage.zoom(Math.exp(amount * 0.004), timeAt(scene, Math.max(place(event).x, scene.labels)))
    } else if (isSideways) {
      event.preventDefault()
      stage.pan(((event.deltaX || event.deltaY) * unit) / scene.width)
    }
    // A plain wheel scrolls the tracks, and the page once they are at their end: the browser does both.
  }

  const onDouble = (event: MouseEvent) => {
    const scene = stage.current
    if (!scene) return
    const at = place(event)
    const { row } = hitAt(scene, at.x, at.y)
    if (row >= 0) stage.showRow(row)
    else stage.zoom(0.4, timeAt(scene, at.x))
  }

  const listeners = {
    pointerdown: onDown,
    pointermove: onMove,
    pointerup: onUp,
    pointercancel: onUp,
    pointerleave: onLeave,
    wheel: onWheel,
    dblclick: onDouble,
  }
  for (const [name, listener] of Object.entries(listeners)) {
    element.addEventListener(name, listener as EventListener, { passive: false })
  }
  return () => {
    for (const [name, listener] of Object.entries(listeners))
      element.removeEventListener(name, listener as EventListener)
  }
}
