import { formatCount } from '@/lib/time'
import { StateBadge } from '@/ui/State'
import { Time } from '@/ui/Time'
import { Elapsed } from './RunHeader'
import styles from './Story.module.css'
import { briefOf, errorOf, type RunFacts } from './useRun'
import { whyOf } from './words'

/** The tries of a run, with what came of each. */
export function Attempts({ run }: { run: Pick<RunFacts, 'attempts' | 'attempt_count'> }) {
  const more = Number(run.attempt_count) - run.attempts.length
  return (
    <div className={styles.scroll}>
      <table className={styles.attempts}>
        <thead>
          <tr>
            <th className={styles.right}>Try</th>
            <th>State</th>
            <th>Began</th>
            <th className={styles.right}>Took</th>
            <th>Why</th>
          </tr>
        </thead>
        <tbody>
          {run.attempts.map((attempt) => {
            const error = errorOf(attempt)
            return (
              <tr key={attempt.number}>
                <td className={styles.right}>{attempt.number}</td>
                <td>
                  <StateBadge {...attempt} />
                </td>
                <td>
                  <Time at={attempt.started_at} />
                </td>
                <td className={styles.right}>
                  {attempt.started_at ? <Elapsed from={attempt.started_at} to={attempt.ended_at} /> : '–'}
                </td>
                <td className={styles.reason}>{error ? briefOf(error) : whyOf(attempt)}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
      {more > 0 && <p className={styles.rest}>and {formatCount(more)} more</p>}
    </div>
  )
}
