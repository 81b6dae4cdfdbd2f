import { clsx } from 'clsx'
import { useMemo, useRef, useState } from 'react'
import { formatCount } from '@/lib/time'
import { Button } from '@/ui/Button'
import { StateBadge } from '@/ui/State'
import { shareInWords } from '@/ui/StateShare'
import styles from '../twin.module.css'
import type { GraphEdge, GraphNode, NodeFace } from './graph'

interface NodeListProps {
  nodes: readonly GraphNode[]
  faces: readonly NodeFace[]
  edges: readonly GraphEdge[]
  selected: string | undefined
  onSelect: (key: string) => void
  isShown: boolean
}

const PAGE = 50

/** The graph in words, for the keyboard and for readers; to be seen when asked for or when it has the focus. */
export function NodeList({ nodes, faces, edges, selected, onSelect, isShown }: NodeListProps) {
  const [page, setPage] = useState(0)
  const [cursor, setCursor] = useState(0)
  const list = useRef<HTMLTableSectionElement>(null)
  const before = useMemo(() => {
    const names = new Map(nodes.map(({ key, name }) => [key, name]))
    const found = new Map<string, string[]>()
    for (const { from, to } of edges) found.set(to, [...(found.get(to) ?? []), names.get(from)!])
    return found
  }, [nodes, edges])
  const pages = Math.max(1, Math.ceil(nodes.length / PAGE))
  const first = Math.min(page, pages - 1) * PAGE

  const onKeyDown = (event: React.KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (!step) return
    event.preventDefault()
    const buttons = list.current!.querySelectorAll('button')
    const next = Math.min(Math.max(cursor + step, 0), buttons.length - 1)
    setCursor(next)
    buttons[next]?.focus()
  }
  const turn = (to: number) => {
    setPage(to)
    setCursor(0)
  }

  return (
    <div className={clsx(styles.twin, isShown && styles.twinShown)}>
      <table className={styles.table}>
        <caption>
          Nodes: {formatCount(nodes.length)}
          {pages > 1 && `, here ${formatCount(first + 1)} to ${formatCount(Math.min(first + PAGE, nodes.length))}`}
        </caption>
        <thead>
          <tr>
            <th scope="col">Node</th>
            <th scope="col">State</th>
            <th scope="col">Runs</th>
            <th scope="col">Depends on</th>
          </tr>
        </thead>
        <tbody ref={list} onKeyDown={onKeyDown}>
          {nodes.slice(first, first + PAGE).map((node, number) => (
            <tr key={node.key} className={clsx(node.key === selected && styles.chosen)}>
              <td>
                {/* One stop for the Tab key: arrows move within. */}
                <button
                  type="button"
                  className={styles.link}
                  tabIndex={number === cursor ? 0 : -1}
                  aria-current={node.key === selected}
                  onFocus={() => setCursor(number)}
                  onClick={() => onSelect(node.key)}
                >
                  {node.name}
                </button>
                {node.kind === 'flow' && <span className={styles.kind}>flow</span>}
              </td>
              <td>
                <StateBadge state={faces[first + number]!.state} />
              </td>
              <td>{shareInWords(node.states) || 'none yet'}</td>
              <td>{before.get(node.key)?.join(', ') ?? '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {pages > 1 && (
        <div className={styles.pages}>
          <Button size="small" disabled={first === 0} onClick={() => turn(first / PAGE - 1)}>
            Previous
          </Button>
          <Button size="small" disabled={first + PAGE >= nodes.length} onClick={() => turn(first / PAGE + 1)}>
            Next
          </Button>
        </div>
      )}
    </div>
  )
}
