import { Link } from '@tanstack/react-router'
import { clsx } from 'clsx'
import { memo, useEffect, useRef } from 'react'
import { formatDuration, formatElapsed } from '@/lib/time'
import { StateBadge } from '@/ui/State'
import { Time } from '@/ui/Time'
import { formatTerm } from './filter'
import styles from './RunsTable.module.css'
import type { RunRow } from './rows'
import { TaskShare } from './TaskShare'

interface RunRowViewProps {
  run: RunRow
  index: number
  top: number
  height: number
  /** The present in ms; 0 where nothing counts on. */
  now: number
}

/** One run of the list. The whole row leads to the run; its flow and tags lead to the runs that share them. */
export const RunRowView = memo(function RunRowView({ run, index, top, height, now }: RunRowViewProps) {
  const row = useRef<HTMLDivElement>(null)
  useTint(row, `${run.state} ${run.label}`)
  return (
    <div
      ref={row}
      className={styles.row}
      role="row"
      aria-rowindex={index + 2}
      style={{ transform: `translateY(${top}px)`, height }}
    >
      <div role="cell" className={styles.state}>
        <StateBadge state={run.state} label={run.label} />
      </div>
      <div role="cell" className={styles.name}>
        <Link to="/runs/$id" params={{ id: run.id }} className={styles.link} data-run={index} title={run.name}>
          {run.name}
        </Link>
      </div>
      <div role="cell" className={styles.flow}>
        {run.flow_name && <FilterLink term="flow" value={run.flow_name} />}
      </div>
      <div role="cell" className={styles.started}>
        <Time at={run.started_at ?? run.created_at} />
      </div>
      <div role="cell" className={clsx(styles.duration, styles.num)}>
        <Duration run={run} now={now} />
      </div>
      <div role="cell" className={styles.tasks}>
        <TaskShare tally={run.tally} />
      </div>
      <div role="cell" className={styles.tags}>
        {run.tags.map((tag) => (
          <FilterLink key={tag} term="tag" value={tag} isTag />
        ))}
      </div>
    </div>
  )
})

function Duration({ run, now }: { run: RunRow; now: number }) {
  if (run.duration_seconds === null) return <span className={styles.none}>–</span>
  if (!now) return <>{formatDuration(run.duration_seconds)}</>
  // Counted on from what the server said, so that its clock and this one need not agree.
  return <>{formatElapsed(run.duration_seconds + Math.max(0, now - run.readAt) / 1000)}</>
}

function FilterLink({ term, value, isTag = false }: { term: 'flow' | 'tag'; value: string; isTag?: boolean }) {
  const q = formatTerm({ key: term, isNegated: false, values: [value] })
  return (
    <Link to="/runs" search={{ q }} className={isTag ? styles.tag : styles.flowLink} title={`Runs with ${q}`}>
      {value}
    </Link>
  )
}

/** Tint a row once when what it shows has changed, not when it first appears. */
function useTint(row: React.RefObject<HTMLElement | null>, value: string): void {
  const before = useRef(value)
  useEffect(() => {
    if (before.current === value) return
    before.current = value
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) return
    row.current?.animate([{ backgroundColor: 'var(--select)' }, { backgroundColor: 'transparent' }], 600)
  }, [row, value])
}
