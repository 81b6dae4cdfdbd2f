import { CopyButton } from '@/ui/CopyButton'
import { Empty } from '@/ui/Empty'
import { Json } from '@/ui/Json'
import { Pane } from '@/ui/Pane'
import type { Run } from './useRun'
import styles from './Values.module.css'

/** The parameters of a run. */
export function ParametersPane({ run }: { run: Run }) {
  const parameters = (run.parameters ?? {}) as Record<string, unknown>
  const hasAny = Object.keys(parameters).length > 0
  const copy = hasAny && <CopyButton text={() => JSON.stringify(parameters, null, 2)} label="Copy as JSON" />
  return (
    <Pane title="Parameters" actions={copy}>
      {hasAny ? <Values values={parameters} /> : <NoParameters kind={run.kind} />}
    </Pane>
  )
}

/** Values by name. */
export function Values({ values }: { values: Record<string, unknown> }) {
  return (
    <dl className={styles.values}>
      {Object.entries(values).map(([name, value]) => (
        <div key={name} className={styles.value}>
          <dt>{name}</dt>
          <dd>
            <Json value={value} />
          </dd>
        </div>
      ))}
    </dl>
  )
}

function NoParameters({ kind }: { kind: string }) {
  if (kind !== 'flow') return <Empty title="It was called without parameters." />
  return (
    <Empty
      title="It was called without parameters."
      text="The parameters of a flow are those of its function; each run keeps what it was called with."
      code={'@flow\ndef nightly(day: str = "2026-11-24"):\n    ...'}
    />
  )
}
