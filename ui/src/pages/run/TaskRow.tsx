import { Link } from '@tanstack/react-router'
import { ChevronDown, ChevronRight, Workflow } from 'lucide-react'
import { infoOf, wordOf } from '@/lib/states'
import { formatCount, formatDuration } from '@/lib/time'
import { StateBadge, StateGlyph } from '@/ui/State'
import { StateShare, shareInWords } from '@/ui/StateShare'
import { Time } from '@/ui/Time'
import type { TimelineData } from '@/viz/timeline/data'
import { stateOfRow } from '@/viz/timeline/family'
import styles from './Tasks.module.css'
import type { Durations } from './tasks'
import { briefOf, errorOf, type TaskGroup } from './useRun'
import type { TaskDetail } from './useTaskDetails'
import { whyOf } from './words'

interface GroupRowProps {
  group: TaskGroup
  durations: Durations | null
  /** The label of its only run, when it has one. */
  label: string | null
  isOpen: boolean
  onToggle: () => void
  top: number
  rowIndex: number
}

/** All runs of one task, or of one child flow. */
export function GroupRow({ group, durations, label, isOpen, onToggle, top, rowIndex }: GroupRowProps) {
  const total = Object.values(group.states).reduce((sum, count) => sum + count, 0)
  const Chevron = isOpen ? ChevronDown : ChevronRight
  const isOver = Object.keys(group.states).every((state) => infoOf(state).is_terminal)
  return (
    <div className={styles.group} role="row" aria-rowindex={rowIndex} style={{ transform: `translateY(${top}px)` }}>
      <span role="cell" className={styles.name}>
        <button type="button" className={styles.toggle} aria-expanded={isOpen} onClick={onToggle}>
          <Chevron size={14} strokeWidth={1.5} aria-hidden="true" />
          {group.kind === 'flow' && <Workflow size={13} strokeWidth={1.5} aria-label="Flow" />}
          <span className={styles.text}>{group.name}</span>
          {total > 1 && <span className={styles.times}>×{formatCount(total)}</span>}
        </button>
      </span>
      <span role="cell" className={styles.states} title={shareInWords(group.states)}>
        <States states={group.states} label={label} />
      </span>
      <span role="cell" className={styles.bar}>
        <StateShare counts={group.states} />
      </span>
      <span role="cell" className={styles.right}>
        {durations ? formatDuration(durations.p50) : ''}
      </span>
      <span role="cell" className={styles.wide}>
        {durations ? formatDuration(durations.max) : ''}
      </span>
      <span role="cell" className={styles.wide}>
        {group.started_at && <Time at={group.started_at} />}
      </span>
      <span role="cell" className={styles.wide}>
        {isOver && group.ended_at && <Time at={group.ended_at} />}
      </span>
    </div>
  )
}

const WORST = [
  'failed',
  'crashed',
  'cancelling',
  'paused',
  'running',
  'pending',
  'scheduled',
  'cancelled',
  'skipped',
  'completed',
]

/** Signs and words of the states that there are, the worst first. */
function States({ states, label }: { states: Record<string, number>; label: string | null }) {
  const present = WORST.filter((state) => states[state])
  const [only] = present
  if (present.length === 1 && states[only!] === 1) return <StateBadge state={only!} label={label} />
  return present.map((state) => (
    <span key={state} className={styles.state}>
      <StateGlyph state={state} size={11} /> {formatCount(states[state]!)} {infoOf(state).word.toLowerCase()}
    </span>
  ))
}

interface TaskRunRowProps {
  data: TimelineData
  row: number
  detail: TaskDetail | undefined
  /** When the timeline was last read, ms. */
  readAt: number
  top: number
  rowIndex: number
}

/** One run of a task. What the timeline does not tell comes a moment later. */
export function TaskRunRow({ data, row, detail, readAt, top, rowIndex }: TaskRunRowProps) {
  const { start, end } = data.columns
  const { state, label } = stateOfRow(data, row)
  const began = start[row]!
  // The server's clock, carried on by what has passed here.
  const now = data.now + (Date.now() - readAt) * 1_000 - data.base
  const took = Number.isNaN(began) ? null : ((Number.isNaN(end[row]!) ? now : end[row]!) - began) / 1e6
  const shown = detail?.label ?? label
  return (
    <div className={styles.run} role="row" aria-rowindex={rowIndex} style={{ transform: `translateY(${top}px)` }}>
      <span role="cell" className={styles.name}>
        <StateGlyph state={state} label={shown} />
        {detail ? (
          <Link className={styles.link} to="/runs/$id" params={{ id: detail.id }}>
            {detail.name}
          </Link>
        ) : (
          <span className={styles.text}>{data.label(row)}</span>
        )}
      </span>
      <span role="cell" className={styles.about}>
        <span className={styles.word}>{wordOf(state, shown)}</span>
        {detail && <span className={styles.outcome}>{outcomeOf(detail, state)}</span>}
      </span>
      <span role="cell" className={styles.right}>
        {took === null ? '' : formatDuration(took)}
      </span>
    </div>
  )
}

function outcomeOf(detail: TaskDetail, state: string): string {
  const error = errorOf(detail)
  if (error && detail.label !== 'UpstreamFailed') return briefOf(error)
  if (state === 'completed') return detail.result_preview ?? ''
  return whyOf({ ...detail, state })
}
