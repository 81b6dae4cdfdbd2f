import { clsx } from 'clsx'
import { ArrowDown, ArrowRight, List, Maximize2, Minus, Plus } from 'lucide-react'
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { formatCount } from '@/lib/time'
import { Button } from '@/ui/Button'
import { CanvasDrawing } from './CanvasDrawing'
import { Drawing } from './Drawing'
import styles from './Graph.module.css'
import { faceOf, type GraphData, pairsOf, relatives, structureOf } from './graph'
import type { Direction } from './layout'
import { NodeList } from './NodeList'
import { detailAt, fitView, NODE_HEIGHT, nodeWidth, revealNode, type View, zoomView } from './shape'
import { useLayout } from './useLayout'
import { usePan } from './usePan'
import { walk } from './walk'

export interface GraphProps {
  graph: GraphData
  /** The key of a node. */
  selected: string | undefined
  onSelect: (key: string | undefined) => void
}

/** Beyond so many nodes one canvas is faster than many elements. */
const MOST_ELEMENTS = 300
/** Opened no smaller than names can be read; what does not fit is a drag away. */
const LEAST_AT_FIRST = 0.48

/** What depends on what in a run: a node for each task name, an edge for each pair of which one took the other's result. */
export function Graph({ graph, selected: selectedKey, onSelect }: GraphProps) {
  const { nodes } = graph
  const { pairs, edges } = useMemo(() => pairsOf(graph), [graph])
  const [direction, setDirection] = useState<Direction>(() => (window.innerWidth < 640 ? 'down' : 'right'))
  const [isList, setList] = useState(false)
  const [pointed, setPointed] = useState<number>()
  const [cursorKey, setCursorKey] = useState<string>()
  const [hasFocus, setFocus] = useState(false)
  const faces = useMemo(() => nodes.map(faceOf), [nodes])
  const wished = nodeWidth(
    nodes.map(({ name }) => name),
    faces.map(({ count }) => count),
  )
  // Counts change: a node never gets narrower again, so that the picture does not tremble.
  const widest = useRef(0)
  const width = Math.max(widest.current, wished)
  widest.current = width
  const size = useMemo(() => ({ width, height: NODE_HEIGHT }), [width])
  const structure = useMemo(() => structureOf(graph, pairs), [graph, pairs])
  const keys = useMemo(() => nodes.map(({ key }) => key), [nodes])
  const layout = useLayout(structure, keys, pairs, direction, size)

  const box = useRef<HTMLDivElement>(null)
  const [room, setRoom] = useState({ width: 0, height: 0 })
  const [view, setView] = useState<View>()
  /** Until somebody moves the view, it follows the graph as it grows. */
  const hasMoved = useRef(false)
  const move = useCallback((change: (view: View) => View) => {
    hasMoved.current = true
    setView((before) => before && change(before))
  }, [])

  useLayoutEffect(() => {
    const measure = () => setRoom({ width: box.current!.clientWidth, height: box.current!.clientHeight })
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(box.current!)
    return () => observer.disconnect()
  }, [])

  useEffect(() => {
    if (layout && room.width > 0 && room.height > 0 && !hasMoved.current) {
      setView(fitView(layout, room.width, room.height, LEAST_AT_FIRST))
    }
  }, [layout, room])

  const farthest =
    layout && room.width > 0 ? Math.min(LEAST_AT_FIRST, fitView(layout, room.width, room.height).scale) : 0.1
  usePan(box, move, farthest, isList)

  const find = (key: string | undefined) => {
    const number = key === undefined ? -1 : keys.indexOf(key)
    return number < 0 ? undefined : number
  }
  const selected = find(selectedKey)
  const first = layout?.ranks.flat()[0] ?? 0
  const cursor = find(cursorKey) ?? selected ?? first
  const isCanvas = nodes.length > MOST_ELEMENTS
  const shown = pointed ?? selected
  const related = useMemo(() => relatives(nodes.length, pairs, shown), [nodes.length, pairs, shown])

  const onCursor = useCallback(
    (node: number) => {
      setCursorKey(keys[node])
      if (layout) setView((before) => before && revealNode(before, layout.nodes[node]!, size, room.width, room.height))
    },
    [keys, layout, size, room],
  )
  const choose = useCallback((node: number) => onSelect(keys[node]), [keys, onSelect])
  const showAll = () => {
    if (!layout) return
    hasMoved.current = false
    setView(fitView(layout, room.width, room.height))
  }
  const zoom = (factor: number) =>
    move((before) => zoomView(before, factor, { x: room.width / 2, y: room.height / 2 }, farthest))

  const onKeyDown = (event: React.KeyboardEvent) => {
    if (!layout || event.altKey || event.ctrlKey || event.metaKey) return
    const next = walk(layout, pairs, cursor, event.key)
    if (next !== undefined) {
      onCursor(next)
      box.current!.querySelector<SVGGElement>(`[data-node="${next}"]`)?.focus()
    } else if (event.key === 'Enter' || event.key === ' ') choose(cursor)
    else if (event.key === 'Escape' && selected !== undefined) onSelect(undefined)
    else if (event.key === '+' || event.key === '=') zoom(1.3)
    else if (event.key === '-') zoom(1 / 1.3)
    else if (event.key === '0') showAll()
    else return
    event.preventDefault()
  }

  /** The node at a place of the canvas. */
  const nodeAt = (event: React.MouseEvent): number | undefined => {
    if (!layout || !view) return undefined
    const { left, top } = box.current!.getBoundingClientRect()
    const x = (event.clientX - left - view.x) / view.scale
    const y = (event.clientY - top - view.y) / view.scale
    const found = layout.nodes.findIndex(
      (node) => x >= node.x && x <= node.x + size.width && y >= node.y && y <= node.y + NODE_HEIGHT,
    )
    return found < 0 ? undefined : found
  }

  const detail = view ? detailAt(view.scale) : 'full'
  // Names change their size in steps: not every step of a zoom draws everything anew.
  const nameScale = view && detail === 'name' ? Math.round(view.scale * 20) / 20 : 1
  const summary = `${formatCount(nodes.length)} ${nodes.length === 1 ? 'node' : 'nodes'}, ${formatCount(edges.length)} ${edges.length === 1 ? 'edge' : 'edges'}`

  return (
    <div className={styles.graph}>
      <div className={styles.bar}>
        <span className={styles.summary}>{summary}</span>
        {edges.length === 0 && <span>No task was given the result of another one, so nothing connects them.</span>}
        <div className={styles.actions}>
          {edges.length > 0 && (
            <Button
              look="plain"
              size="small"
              onClick={() => {
                hasMoved.current = false
                setDirection(direction === 'right' ? 'down' : 'right')
              }}
            >
              {direction === 'right' ? <ArrowDown size={14} /> : <ArrowRight size={14} />}
              {direction === 'right' ? 'Top down' : 'Left to right'}
            </Button>
          )}
          <Button look="plain" size="small" aria-label="Zoom out" onClick={() => zoom(1 / 1.3)}>
            <Minus size={16} />
          </Button>
          <Button look="plain" size="small" aria-label="Zoom in" onClick={() => zoom(1.3)}>
            <Plus size={16} />
          </Button>
          <Button look="plain" size="small" onClick={showAll}>
            <Maximize2 size={14} /> Fit
          </Button>
          <Button look="plain" size="small" aria-pressed={isList} onClick={() => setList(!isList)}>
            <List size={16} /> List
          </Button>
        </div>
      </div>
      <div
        ref={box}
        className={clsx(styles.box, isList && styles.gone)}
        role="application"
        aria-roledescription="graph"
        aria-label={
          isCanvas ? `Graph of ${summary}. At ${nodes[cursor]?.name}, ${faces[cursor]?.word}` : `Graph of ${summary}`
        }
        {...(isCanvas && {
          tabIndex: 0,
          onFocus: () => setFocus(true),
          onBlur: () => setFocus(false),
          onPointerMove: (event: React.PointerEvent) => event.buttons === 0 && setPointed(nodeAt(event)),
          onPointerLeave: () => setPointed(undefined),
          onClick: (event: React.MouseEvent) => {
            const node = nodeAt(event)
            onSelect(node === undefined ? undefined : keys[node])
          },
        })}
        onKeyDown={onKeyDown}
      >
        {!layout && <p className={styles.wait}>Laying out {formatCount(nodes.length)} nodes…</p>}
        {layout && view && !isCanvas && (
          // biome-ignore lint/a11y/noSvgWithoutTitle: its nodes have names; a title would come up everywhere.
          <svg className={styles.canvas}>
            <g transform={`translate(${view.x} ${view.y}) scale(${view.scale})`}>
              <Drawing
                layout={layout}
                nodes={nodes}
                edges={edges}
                pairs={pairs}
                width={size.width}
                detail={detail}
                scale={nameScale}
                selected={selected}
                cursor={cursor}
                related={related}
                onPoint={setPointed}
                onChoose={choose}
                onCursor={onCursor}
              />
            </g>
          </svg>
        )}
        {layout && view && isCanvas && (
          <CanvasDrawing
            layout={layout}
            nodes={nodes}
            faces={faces}
            pairs={pairs}
            nodeWidth={size.width}
            view={view}
            related={related}
            width={room.width}
            height={room.height}
            selected={selected}
            cursor={hasFocus ? cursor : undefined}
          />
        )}
      </div>
      <NodeList nodes={nodes} faces={faces} edges={edges} isShown={isList} selected={selectedKey} onSelect={onSelect} />
    </div>
  )
}
