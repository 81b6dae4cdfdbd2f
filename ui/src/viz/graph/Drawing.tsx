import { clsx } from 'clsx'
import { memo } from 'react'
import { familyOf } from '@/lib/states'
import { formatCount } from '@/lib/time'
import { StateGlyph } from '@/ui/State'
import { shareWidths, shorten } from '../share'
import styles from './Graph.module.css'
import { faceOf, type GraphEdge, type GraphNode, type NodeFace } from './graph'
import type { Pair } from './layers'
import type { Layout } from './layout'
import { headOf, lettersIn, loopOf, NODE_HEIGHT, nameSize, pathOf } from './shape'

interface DrawingProps {
  layout: Layout
  nodes: readonly GraphNode[]
  edges: readonly GraphEdge[]
  pairs: readonly Pair[]
  width: number
  detail: 'full' | 'name' | 'dot'
  scale: number
  selected: number | undefined
  /** The one that the Tab key reaches. */
  cursor: number
  /** Those that go with the node under the pointer. */
  related: Uint8Array | undefined
  onPoint: (node: number | undefined) => void
  onChoose: (node: number) => void
  onCursor: (node: number) => void
}

/** The nodes and edges as SVG. Drawn anew when the graph changes, not when it is moved. */
export const Drawing = memo(function Drawing(props: DrawingProps) {
  const { layout, nodes, edges, pairs, related } = props
  const faces = nodes.map(faceOf)
  return (
    <>
      {edges.map((edge, number) => {
        const [from, to] = pairs[number]!
        const isFaded = related !== undefined && !(related[from] && related[to])
        return (
          <Edge
            key={`${edge.from}\0${edge.to}`}
            layout={layout}
            number={number}
            node={from}
            width={props.width}
            isRunning={faces[to]!.isRunning}
            isFaded={isFaded}
            isClose={related !== undefined && !isFaded}
          />
        )
      })}
      {layout.ranks.flat().map((node) => (
        <Node
          key={nodes[node]!.key}
          {...props}
          number={node}
          face={faces[node]!}
          isFaded={related !== undefined && !related[node]}
        />
      ))}
    </>
  )
})

interface EdgeProps {
  layout: Layout
  number: number
  node: number
  width: number
  isRunning: boolean
  isFaded: boolean
  isClose: boolean
}

function Edge({ layout, number, node, width, isRunning, isFaded, isClose }: EdgeProps) {
  const way = layout.edges[number]!
  const { path, head } = way.isLoop
    ? loopOf(layout.nodes[node]!, width)
    : { path: pathOf(way, layout.direction), head: headOf(way, layout.direction) }
  const isBack = way.isBack || way.isLoop
  return (
    <g className={clsx(styles.edge, isFaded && styles.faded, isClose && styles.close)} data-back={isBack || undefined}>
      <path d={path} className={styles.line} />
      {isRunning && !isBack && <path d={path} className={styles.flowing} />}
      <path d={head} className={styles.head} />
    </g>
  )
}

interface NodeProps extends DrawingProps {
  number: number
  face: NodeFace
  isFaded: boolean
}

function Node({
  number,
  face,
  isFaded,
  layout,
  nodes,
  width,
  detail,
  scale,
  selected,
  cursor,
  onPoint,
  onChoose,
  onCursor,
}: NodeProps) {
  const node = nodes[number]!
  const { x, y } = layout.nodes[number]!
  const family = familyOf(face.state)
  const isMany = face.total > 1
  const size = detail === 'full' ? 13 : nameSize(scale)
  return (
    <g
      role="button"
      tabIndex={number === cursor ? 0 : -1}
      aria-pressed={number === selected}
      data-node={number}
      className={clsx(
        styles.node,
        styles[family],
        face.isAhead && styles.ahead,
        detail === 'dot' && (face.isAhead ? styles.tiny : styles.dot),
        isFaded && styles.faded,
      )}
      transform={`translate(${x} ${y})`}
      onPointerEnter={() => onPoint(number)}
      onPointerLeave={() => onPoint(undefined)}
      onFocus={() => onCursor(number)}
      onClick={() => onChoose(number)}
    >
      <title>{titleOf(node, face)}</title>
      {/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in it takes the focus; the title tells readers all of it. */}
      <g aria-hidden="true">
        {node.kind === 'flow' && (
          <rect className={styles.frame} x={-4} y={-4} width={width + 8} height={NODE_HEIGHT + 8} rx={9} />
        )}
        <rect className={styles.card} width={width} height={NODE_HEIGHT} rx={6} />
        {!face.isAhead && detail !== 'dot' && (
          <rect className={styles.signal} x={6} y={9} width={3} height={NODE_HEIGHT - 18} rx={1.5} />
        )}
        {detail !== 'dot' && (
          <text
            className={styles.name}
            x={16}
            y={detail === 'full' ? 22 : NODE_HEIGHT / 2 + size * 0.35}
            style={{ fontSize: size }}
          >
            {shorten(node.name, lettersIn(width, size))}
          </text>
        )}
        {detail === 'full' && (
          <>
            <g transform="translate(16 32)">
              <StateGlyph state={face.state} />
            </g>
            <text className={styles.word} x={33} y={42}>
              {face.word}
            </text>
            {face.count && (
              <text className={styles.count} x={width - 12} y={42}>
                {face.count}
              </text>
            )}
            {isMany && <Share node={node} width={width} />}
          </>
        )}
      </g>
    </g>
  )
}

/** The name of the node's button, and what comes up under the pointer. */
function titleOf(node: GraphNode, face: NodeFace): string {
  const parts = [node.name, node.kind === 'flow' ? 'flow' : '', face.word]
  if (face.total > 1) parts.push(`${formatCount(face.done)} of ${formatCount(face.total)} done`)
  return parts.filter(Boolean).join(', ')
}

function Share({ node, width }: { node: GraphNode; width: number }) {
  const states = Object.entries(node.states).filter(([, count]) => count > 0)
  const widths = shareWidths(
    states.map(([, count]) => count),
    width - 16,
  )
  let x = 8
  return states.map(([state], number) => {
    const part = (
      <rect
        key={state}
        x={x}
        y={NODE_HEIGHT - 4}
        width={widths[number]}
        height={3}
        fill={`var(--st-${familyOf(state)})`}
      />
    )
    x += widths[number]!
    return part
  })
}
