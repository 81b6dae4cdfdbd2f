import { useEffect } from 'react'
import { type View, zoomView } from './shape'

const CLICK = 4

/** Move a view by dragging, by pinching and with the wheel (with Ctrl it zooms). A drag is no click. */
export function usePan(
  box: React.RefObject<HTMLElement | null>,
  move: (change: (view: View) => View) => void,
  farthest: number,
  isOff: boolean,
): void {
  useEffect(() => {
    const element = box.current
    if (!element || isOff) return
    const touches = new Map<number, { x: number; y: number }>()
    let hasMoved = false
    let began = { x: 0, y: 0 }

    const place = (event: MouseEvent) => {
      const { left, top } = element.getBoundingClientRect()
      return { x: event.clientX - left, y: event.clientY - top }
    }
    const spread = () => {
      const [one, other] = [...touches.values()]
      return {
        distance: Math.max(20, Math.hypot(one!.x - other!.x, one!.y - other!.y)),
        middle: { x: (one!.x + other!.x) / 2, y: (one!.y + other!.y) / 2 },
      }
    }
    const onDown = (event: PointerEvent) => {
      if (event.button !== 0) return
      began = place(event)
      touches.set(event.pointerId, began)
      hasMoved = false
    }
    const onMove = (event: PointerEvent) => {
      const before = touches.get(event.pointerId)
      if (!before) return
      const at = place(event)
      const old = touches.size === 2 ? spread() : undefined
      if (!hasMoved && Math.hypot(at.x - began.x, at.y - began.y) < CLICK) return
      if (!hasMoved) element.setPointerCapture(event.pointerId)
      hasMoved = true
      touches.set(event.pointerId, at)
      if (old) {
        const now = spread()
        move((view) => {
          const next = zoomView(view, now.distance / old.distance, old.middle, farthest)
          return { ...next, x: next.x + now.middle.x - old.middle.x, y: next.y + now.middle.y - old.middle.y }
        })
      } else {
        move((view) => ({ ...view, x: view.x + at.x - before.x, y: view.y + at.y - before.y }))
      }
    }
    const onUp = (event: PointerEvent) => touches.delete(event.pointerId)
    const onClick = (event: MouseEvent) => {
      if (hasMoved) event.stopPropagation()
      hasMoved = false
    }
    const onWheel = (event: WheelEvent) => {
      const unit = event.deltaMode === 1 ? 20 : 1
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault()
        const amount = Math.min(Math.max(event.deltaY * unit, -150), 150)
        const at = place(event)
        move((view) => zoomView(view, Math.exp(-amount * 0.004), at, farthest))
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault()
        move((view) => ({ ...view, x: view.x - (event.deltaX || event.deltaY) * unit }))
      }
    }
    const listeners = {
      pointerdown: onDown,
      pointermove: onMove,
      pointerup: onUp,
      pointercancel: onUp,
      wheel: onWheel,
    }
    for (const [name, listener] of Object.entries(listeners)) {
      element.addEventListener(name, listener as EventListener, { passive: false })
    }
    // Before it reaches the node that the drag began on.
    element.addEventListener('click', onClick, { capture: true })
    return () => {
      for (const [name, listener] of Object.entries(listeners))
        element.removeEventListener(name, listener as EventListener)
      element.removeEventListener('click', onClick, { capture: true })
    }
  }, [box, move, farthest, isOff])
}
