import { useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { X } from 'lucide-react'
import { useEffect, useRef } from 'react'
import { RunBySeqDocument, type RunBySeqQuery } from '@/gql/graphql'
import { graphql } from '@/lib/api'
import { useLiveQuery } from '@/live/live'
import { Button } from '@/ui/Button'
import { Empty } from '@/ui/Empty'
import { ErrorPane } from '@/ui/ErrorPane'
import { Pane } from '@/ui/Pane'
import { StateBadge } from '@/ui/State'
import { Time } from '@/ui/Time'
import { Attempts } from './Attempts'
import { Values } from './ParametersPane'
import { Result } from './ResultPane'
import { Elapsed } from './RunHeader'
import styles from './SidePanel.module.css'
import { Traceback } from './Traceback'
import { errorOf, type Run, topicsOf } from './useRun'
import { whyOf } from './words'

interface SidePanelProps {
  seq: number
  /** The run whose timeline it was chosen in. */
  within: Run
  onClose: () => void
}

type Chosen = RunBySeqQuery['runs'][number]

/** The run of the bar that was chosen in the timeline. */
export function SidePanel({ seq, within, onClose }: SidePanelProps) {
  const key = ['run-by-seq', seq]
  const known = useQueryClient().getQueryData<RunBySeqQuery>(key)?.runs[0]
  const read = (signal: AbortSignal) => graphql(RunBySeqDocument, { seq }, signal)
  const found = useLiveQuery(key, read, topicsOf(known ?? within), { pauseMs: 250 })
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    // Where there is little room it lies below the timeline, out of sight.
    box.current?.closest('section')?.scrollIntoView({ block: 'nearest' })
  }, [])
  const run = found.data?.runs[0]
  const close = (
    <Button size="small" look="plain" onClick={onClose} aria-label="Close" title="Close (Escape)">
      <X size={14} strokeWidth={1.5} />
    </Button>
  )
  return (
    <Pane title={run?.name ?? 'Task run'} actions={close} className={styles.panel} isFilling>
      <div ref={box} className={styles.body}>
        {found.error && !run && <ErrorPane error={found.error} onRetry={() => void found.refetch()} />}
        {found.data && !run && <Empty title="It is gone." text="The run was deleted meanwhile." />}
        {run && <About run={run} />}
      </div>
    </Pane>
  )
}

function About({ run }: { run: Chosen }) {
  const error = errorOf(run)
  const why = whyOf(run)
  const parameters = (run.parameters ?? {}) as Record<string, unknown>
  return (
    <>
      <div className={styles.line}>
        <StateBadge {...run} />
        <span className={styles.links}>
          <Link to="/runs/$id" params={{ id: run.id }}>
            Open {run.kind === 'flow' ? 'flow run' : 'task run'}
          </Link>
          <Link to="/runs/$id" params={{ id: run.id }} search={{ tab: 'logs' }}>
            Its log
          </Link>
        </span>
      </div>
      {why && <p className={styles.why}>{why}</p>}
      <dl className={styles.facts}>
        <dt>{run.started_at ? 'Began' : 'Called'}</dt>
        <dd>
          <Time at={run.started_at ?? run.created_at} millis />
        </dd>
        {run.ended_at && <dt>Ended</dt>}
        {run.ended_at && (
          <dd>
            <Time at={run.ended_at} millis />
          </dd>
        )}
        {run.started_at && <dt>Took</dt>}
        {run.started_at && (
          <dd>
            <Elapsed from={run.started_at} to={run.ended_at} />
          </dd>
        )}
        {Number(run.attempt_count) > 1 && <dt>Attempts</dt>}
        {Number(run.attempt_count) > 1 && <dd>{run.attempt_count}</dd>}
        {run.parent && run.parent.kind === 'task' && <dt>Called by</dt>}
        {run.parent && run.parent.kind === 'task' && (
          <dd>
            <Link to="/runs/$id" params={{ id: run.parent.id }}>
              {run.parent.name}
            </Link>
          </dd>
        )}
      </dl>
      {error && run.label !== 'UpstreamFailed' && (
        <section className={styles.part}>
          <h3>Error</h3>
          <p className={styles.error}>
            <b>{error.type}</b>
            {error.message && `: ${error.message}`}
          </p>
          {error.traceback && <Traceback error={error} />}
        </section>
      )}
      {Number(run.attempt_count) > 1 && (
        <section className={styles.part}>
          <h3>Attempts</h3>
          <Attempts run={run} />
        </section>
      )}
      {Object.keys(parameters).length > 0 && (
        <section className={styles.part}>
          <h3>Parameters</h3>
          <Values values={parameters} />
        </section>
      )}
      {run.result_size_bytes !== null && (
        <section className={styles.part}>
          <h3>Result</h3>
          <Result run={run} />
        </section>
      )}
    </>
  )
}
