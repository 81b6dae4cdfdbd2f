import { useEffect, useRef, useState } from 'react'
import { type Palette, readPalette, watchTheme } from '../palette'
import { type Picture, paintGraph } from './canvas'
import styles from './Graph.module.css'

/** A graph too large for SVG. It draws when something changed, at most once a frame. */
export function CanvasDrawing(props: Omit<Picture, 'palette' | 'ratio'>) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const [palette, setPalette] = useState<Palette>()

  useEffect(() => {
    const read = () => setPalette(readPalette(canvas.current!.parentElement!))
    read()
    return watchTheme(read)
  }, [])

  useEffect(() => {
    if (!palette) return
    const frame = requestAnimationFrame(() => {
      const element = canvas.current!
      const ratio = Math.min(3, window.devicePixelRatio || 1)
      const [width, height] = [Math.round(props.width * ratio), Math.round(props.height * ratio)]
      // Setting a size empties the canvas, the same one too.
      if (element.width !== width) element.width = width
      if (element.height !== height) element.height = height
      paintGraph(element.getContext('2d', { alpha: false })!, { ...props, palette, ratio })
    })
    return () => cancelAnimationFrame(frame)
  }, [props, palette])

  return (
    <div aria-hidden="true">
      <canvas ref={canvas} className={styles.canvas} />
    </div>
  )
}
