import { isTerminal } from '@/lib/states'
import { formatDuration, toMillis, useNow } from '@/lib/time'
import { ErrorPane } from '@/ui/ErrorPane'
import { Pane } from '@/ui/Pane'
import { StateBadge } from '@/ui/State'
import { Time } from '@/ui/Time'
import { Attempts } from './Attempts'
import styles from './Story.module.css'
import { eventOf, present, type Step, tell } from './story'
import { type Run, useStory } from './useRun'
import { whyOf } from './words'

/** Every transition of the run with the time between them explained, and its attempts. */
export function StoryPane({ run }: { run: Run }) {
  const story = useStory(run)
  const steps = (story.data?.run?.story ?? []).map((step) => ({ ...step, n: Number(step.n) }))
  if (story.error && !story.data) return <ErrorPane error={story.error} onRetry={() => void story.refetch()} />
  return (
    <div className={styles.panes}>
      <Pane title="Story">
        <Steps steps={steps} run={run} />
      </Pane>
      {run.attempts.length > 0 && (
        <Pane title={run.attempts.length === 1 ? 'Attempt' : 'Attempts'}>
          <Attempts run={run} />
        </Pane>
      )}
    </div>
  )
}

function Steps({ steps, run }: { steps: readonly Step[]; run: Run }) {
  const isOver = isTerminal(run.state)
  const told = tell(steps)
  return (
    <ol className={styles.story}>
      {told.map((step, place) => (
        <li key={step.n} className={styles.step}>
          {step.gap && <p className={styles.gap}>{step.gap}</p>}
          <div className={styles.line}>
            <Time at={step.at} millis />
            <span className={styles.after}>{place === 0 ? '' : `+${formatDuration(step.after)}`}</span>
            <span className={styles.event}>{eventOf(step.event)}</span>
            <StateBadge state={step.to_state} label={step.label} />
          </div>
          {place === told.length - 1 && isOver && whyOf(run) && <p className={styles.why}>{whyOf(run)}</p>}
        </li>
      ))}
      {!isOver && <Present steps={steps} due={run.due_at} />}
    </ol>
  )
}

function Present({ steps, due }: { steps: readonly Step[]; due: string | null }) {
  const now = useNow(1_000)
  const text = present(steps, now)
  const left = due ? (toMillis(due) - now) / 1000 : 0
  return (
    <li className={styles.step}>
      <p className={styles.gap}>
        {text}
        {left > 0 && `; goes on in ${formatDuration(left)}`}
      </p>
    </li>
  )
}
