import { Link } from '@tanstack/react-router'
import { formatCount, formatDuration } from '@/lib/time'
import { StateBadge } from '@/ui/State'
import { Time } from '@/ui/Time'
import styles from './FlowsPage.module.css'
import { Pulse } from './Pulse'
import { type FlowRow, summarize } from './summary'

/** One flow: how its last run stands, and what the last runs say. */
export function FlowRowView({ flow, children }: { flow: FlowRow; children: React.ReactNode }) {
  const { share, ended, p50 } = summarize(flow.runs)
  const [last] = flow.runs
  return (
    <tr className={styles.row}>
      <td className={styles.name}>{children}</td>
      <td className={styles.last}>
        {last && (
          <Link to="/runs/$id" params={{ id: last.id }} className={styles.badge} title={last.name}>
            <StateBadge state={last.state} label={last.label} />
          </Link>
        )}
        <Time at={flow.last_run_at} />
      </td>
      <td className={styles.pulse}>
        <Pulse runs={flow.runs} />
      </td>
      <td
        className={styles.number}
        title={share === null ? 'None has ended yet' : `of the last ${ended} that have ended`}
      >
        {share === null ? '–' : `${Math.floor(share * 100)}\u202f%`}
      </td>
      <td className={styles.number}>{formatDuration(p50)}</td>
      <td className={styles.number}>{formatCount(Number(flow.run_count))}</td>
    </tr>
  )
}
