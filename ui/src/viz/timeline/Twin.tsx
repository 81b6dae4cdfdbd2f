import { clsx } from 'clsx'
import { useMemo, useRef, useState } from 'react'
import { formatCount } from '@/lib/time'
import { Button } from '@/ui/Button'
import { StateBadge } from '@/ui/State'
import styles from '../twin.module.css'
import type { TimelineData } from './data'
import { drawnUntil } from './pixels'
import { factsOf } from './spoken'
import { drawnFrom, type Plan } from './tracks'
import type { Span } from './view'

interface TwinProps {
  data: TimelineData
  plan: Plan
  /** The part of the data's time that is looked at. */
  view: Span | undefined
  isWhole: boolean
  version: number
  zone: string
  now: number
  selected: number | undefined
  onSelect: (seq: number) => void
  isShown: boolean
}

const PAGE = 50

/** The rows of a plan that lie in a view, those that wait as well, in the order they were created. */
export function rowsInView(data: TimelineData, plan: Plan, view: Span | undefined, now: number): number[] {
  const isThere = new Uint8Array(data.count)
  for (const track of plan.tracks) for (const row of track.members) isThere[row] = 1
  const rows: number[] = []
  for (let row = 0; row < data.count; row++) if (isThere[row] === 1 && isInView(data, row, view, now)) rows.push(row)
  return rows
}

function isInView(data: TimelineData, row: number, view: Span | undefined, now: number): boolean {
  if (!view) return true
  const from = drawnFrom(data, row)
  if (Number.isNaN(from)) return data.columns.created[row]! <= view.to
  return from <= view.to && drawnUntil(data, row, now) >= view.from
}

/** The timeline as a table, for the keyboard and for readers; to be seen when asked for or when it has the focus. */
export function Twin(props: TwinProps) {
  const { data, plan, view, isWhole, zone, selected, onSelect, isShown } = props
  const [page, setPage] = useState(0)
  const [cursor, setCursor] = useState(0)
  const body = useRef<HTMLTableSectionElement>(null)
  const now = props.now - data.base
  const rows = useMemo(() => rowsInView(data, plan, isWhole ? undefined : view, now), [data, plan, view, isWhole, now])
  const pages = Math.max(1, Math.ceil(rows.length / PAGE))
  const first = Math.min(page, pages - 1) * PAGE
  const shown = rows.slice(first, first + PAGE)

  const onKeyDown = (event: React.KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (!step) return
    event.preventDefault()
    const next = Math.min(Math.max(cursor + step, 0), shown.length - 1)
    setCursor(next)
    body.current?.querySelectorAll('button')[next]?.focus()
  }
  const turn = (to: number) => {
    setPage(to)
    setCursor(0)
  }

  return (
    <div className={clsx(styles.twin, isShown && styles.twinShown)}>
      <table className={styles.table}>
        <caption>
          {isWhole ? 'All runs' : 'Runs in the range shown'}: {formatCount(rows.length)}
          {rows.length > PAGE && `, here ${formatCount(first + 1)} to ${formatCount(first + shown.length)}`}
        </caption>
        <thead>
          <tr>
            <th scope="col">Run</th>
            <th scope="col">State</th>
            <th scope="col" className={styles.number}>
              Started
            </th>
            <th scope="col" className={styles.number}>
              Duration
            </th>
            <th scope="col" className={styles.number}>
              Waited
            </th>
          </tr>
        </thead>
        <tbody ref={body} onKeyDown={onKeyDown}>
          {shown.map((row, number) => {
            const facts = factsOf(data, row, now, zone)
            const seq = data.columns.seq[row]!
            return (
              <tr key={seq} className={clsx(seq === selected && styles.chosen)}>
                <td>
                  {/* One stop for the Tab key in the whole table: arrows move within. */}
                  <button
                    type="button"
                    className={styles.link}
                    tabIndex={number === cursor ? 0 : -1}
                    aria-current={seq === selected}
                    onFocus={() => setCursor(number)}
                    onClick={() => onSelect(seq)}
                  >
                    {facts.name}
                  </button>
                </td>
                <td>
                  <StateBadge state={facts.state} label={facts.label} />
                </td>
                <td className={styles.number}>{facts.started ?? '–'}</td>
                <td className={styles.number}>{facts.duration ?? '–'}</td>
                <td className={styles.number}>{facts.waited}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
      {pages > 1 && (
        <div className={styles.pages}>
          <Button size="small" disabled={first === 0} onClick={() => turn(first / PAGE - 1)}>
            Previous
          </Button>
          <Button size="small" disabled={first + PAGE >= rows.length} onClick={() => turn(first / PAGE + 1)}>
            Next
          </Button>
        </div>
      )}
    </div>
  )
}
