import { Pane } from '@/ui/Pane'
import { Attempts } from './Attempts'
import { LogsPane, type LogsPaneProps } from './LogsPane'
import { ParametersPane } from './ParametersPane'
import { Relations } from './Relations'
import { ResultPane } from './ResultPane'
import styles from './RunPage.module.css'
import type { Run } from './useRun'

/** A task run that called nothing: what it was given, what came of it, and its log. */
export function Summary({ run, logs }: { run: Run; logs: LogsPaneProps }) {
  return (
    <div className={styles.summary}>
      <div className={styles.stack}>
        <ParametersPane run={run} />
        {(run.state === 'completed' || run.result_size_bytes !== null) && <ResultPane run={run} />}
        {run.attempts.length > 1 && (
          <Pane title="Attempts">
            <Attempts run={run} />
          </Pane>
        )}
        <Relations run={run} />
      </div>
      <LogsPane {...logs} />
    </div>
  )
}
