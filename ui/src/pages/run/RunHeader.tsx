import { Link } from '@tanstack/react-router'
import { ChevronLeft, ChevronRight, Link2 } from 'lucide-react'
import { useState } from 'react'
import { formatCount, formatDuration, toMillis, useNow } from '@/lib/time'
import { formatTerm } from '@/pages/runs/filter'
import { Button } from '@/ui/Button'
import { StateBadge } from '@/ui/State'
import { StateShare, shareInWords } from '@/ui/StateShare'
import { Time } from '@/ui/Time'
import styles from './RunHeader.module.css'
import { isUnderWay } from './RunView'
import type { Run } from './useRun'
import { whyOf } from './words'

interface RunHeaderProps {
  run: Run
  counts: Record<string, number>
  total: number
  neighbours: { previous: Neighbour | undefined; next: Neighbour | undefined }
}

interface Neighbour {
  id: string
  name: string
  state: string
}

/** Where the run belongs, how it stands and why, and its facts. */
export function RunHeader({ run, counts, total, neighbours }: RunHeaderProps) {
  const why = whyOf(run)
  return (
    <header className={styles.header}>
      <div className={styles.top}>
        <Trail run={run} />
        <div className={styles.actions}>
          <CopyLink />
          <Step to={neighbours.previous} label="Previous" />
          <Step to={neighbours.next} label="Next" />
        </div>
      </div>
      <div className={styles.title}>
        <h1>{run.name}</h1>
        <StateBadge {...run} />
        {why && run.state !== 'crashed' && <p className={styles.why}>{why}</p>}
      </div>
      <Facts run={run} counts={counts} total={total} />
    </header>
  )
}

function Trail({ run }: { run: Run }) {
  const { parent, root } = run
  return (
    <nav className={styles.trail} aria-label="Where this run belongs">
      <Link to="/runs">Runs</Link>
      {run.flow_name && (
        <Link to="/runs" search={{ q: formatTerm({ key: 'flow', isNegated: false, values: [run.flow_name] }) }}>
          {run.flow_name}
        </Link>
      )}
      {root && root.id !== run.id && root.id !== parent?.id && (
        <Link to="/runs/$id" params={{ id: root.id }}>
          {root.name}
        </Link>
      )}
      {parent && (
        <Link to="/runs/$id" params={{ id: parent.id }}>
          {parent.name}
        </Link>
      )}
    </nav>
  )
}

/** Copy the address of what is shown. */
export async function copyLink(): Promise<void> {
  await navigator.clipboard.writeText(location.href)
}

function CopyLink() {
  const [isDone, setDone] = useState(false)
  const copy = async () => {
    await copyLink()
    setDone(true)
    setTimeout(() => setDone(false), 1500)
  }
  return (
    <Button size="small" look="plain" onClick={copy} title="Copy the link to this view (c)">
      <Link2 size={14} strokeWidth={1.5} aria-hidden="true" />
      <span role="status">{isDone ? 'Copied' : 'Copy link'}</span>
    </Button>
  )
}

function Step({ to, label }: { to: Neighbour | undefined; label: 'Previous' | 'Next' }) {
  const icon =
    label === 'Previous' ? (
      <ChevronLeft size={16} strokeWidth={1.5} aria-hidden="true" />
    ) : (
      <ChevronRight size={16} strokeWidth={1.5} aria-hidden="true" />
    )
  if (!to) {
    return (
      <span className={styles.step} aria-disabled="true">
        {icon}
      </span>
    )
  }
  const text = `${label} run: ${to.name}, ${to.state}`
  return (
    <Link
      className={styles.step}
      to="/runs/$id"
      params={{ id: to.id }}
      search={({ tab }: { tab?: string }) => ({ tab })}
      aria-label={text}
      title={`${text} (${label === 'Next' ? ']' : '['})`}
    >
      {icon}
    </Link>
  )
}

function Facts({ run, counts, total }: Omit<RunHeaderProps, 'neighbours'>) {
  const isRunning = isUnderWay(run)
  const attempts = Number(run.attempt_count)
  return (
    <dl className={styles.facts}>
      {run.started_at ? (
        <Fact name="Started">
          <Time at={run.started_at} withZone />
        </Fact>
      ) : (
        <Fact name="Called">
          <Time at={run.created_at} withZone />
        </Fact>
      )}
      {run.due_at && isRunning && run.label === 'AwaitingRetry' && (
        <Fact name="Next attempt">
          <Time at={run.due_at} /> <Due at={run.due_at} />
        </Fact>
      )}
      {run.ended_at && (
        <Fact name="Ended">
          <Time at={run.ended_at} />
        </Fact>
      )}
      {run.started_at && (
        <Fact name={run.ended_at ? 'Took' : 'Elapsed'}>
          <Elapsed from={run.started_at} to={run.ended_at} />
        </Fact>
      )}
      {total > 0 && (
        <Fact name="Task runs">
          <span className={styles.tasks} title={shareInWords(counts)}>
            {tasksInWords(counts, total)}
            <StateShare counts={counts} />
          </span>
        </Fact>
      )}
      {attempts > 1 && <Fact name="Attempts">{formatCount(attempts)}</Fact>}
      {run.task && <Fact name="Task">{run.index === null ? run.task : `${run.task}[${run.index}]`}</Fact>}
      {run.kind === 'flow' && run.parent && (
        <Fact name="Called by">
          <Link to="/runs/$id" params={{ id: run.parent.id }}>
            {run.parent.name}
          </Link>
        </Fact>
      )}
      {run.tags.length > 0 && (
        <Fact name="Tags">
          <span className={styles.tags}>
            {run.tags.map((tag) => (
              <Link
                key={tag}
                className={styles.tag}
                to="/runs"
                search={{ q: formatTerm({ key: 'tag', isNegated: false, values: [tag] }) }}
              >
                {tag}
              </Link>
            ))}
          </span>
        </Fact>
      )}
      <Fact name="Id">
        <span className={styles.id} title={run.id}>
          {run.id}
        </span>
      </Fact>
    </dl>
  )
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div className={styles.fact}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

/** `98 412 of 100 000, 12 failed` while it runs; afterwards what did not complete. */
function tasksInWords(counts: Record<string, number>, total: number): string {
  const completed = counts.completed ?? 0
  const all = formatCount(total)
  const bad = (['failed', 'crashed'] as const)
    .filter((state) => counts[state])
    .map((state) => `, ${formatCount(counts[state]!)} ${state}`)
    .join('')
  return completed === total ? `${all} completed` : `${formatCount(completed)} of ${all}${bad}`
}

/** How long until a moment, or since. */
function Due({ at }: { at: string }) {
  const left = (toMillis(at) - useNow(1_000)) / 1000
  const text = left >= 0 ? `in ${formatDuration(left)}` : `due for ${formatDuration(-left)}`
  return <span className={styles.due}>{text}</span>
}

/** How long something took, or takes so far. */
export function Elapsed({ from, to }: { from: string; to: string | null | undefined }) {
  const now = useNow(1_000, !to)
  const seconds = ((to ? toMillis(to) : now) - toMillis(from)) / 1000
  return <span className={styles.number}>{formatDuration(Math.max(0, seconds))}</span>
}
