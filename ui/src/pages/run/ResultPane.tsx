import { isTerminal } from '@/lib/states'
import { formatBytes } from '@/lib/time'
import { CopyButton } from '@/ui/CopyButton'
import { Empty } from '@/ui/Empty'
import { Pane } from '@/ui/Pane'
import type { Run, RunFacts } from './useRun'
import styles from './Values.module.css'

const PREVIEW_BYTES = 1_024 // that the record keeps as text

/** What the run returned, as far as the record keeps it as text. */
export function ResultPane({ run }: { run: Run }) {
  const copy = run.result_preview && <CopyButton text={run.result_preview} label="Copy the preview" />
  return (
    <Pane title="Result" actions={copy}>
      <Result run={run} />
    </Pane>
  )
}

/** The result of a run, or why there is none. */
export function Result({ run }: { run: Pick<RunFacts, 'state' | 'kind' | 'result_preview' | 'result_size_bytes'> }) {
  const { result_preview: preview, result_size_bytes: size } = run
  if (size === null) return <NoResult run={run} />
  const isCut = (preview?.length ?? 0) >= PREVIEW_BYTES - 3
  return (
    <div className={styles.result}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling box needs the focus to be scrolled by keys */}
      <pre className={styles.preview} tabIndex={0}>
        {preview ?? 'None'}
      </pre>
      <p className={styles.note}>
        {formatBytes(Number(size))} are recorded.
        {isCut && ' This is the beginning.'} The function’s caller has the value itself; the page shows its text and
        never unpickles anything.
      </p>
    </div>
  )
}

function NoResult({ run }: { run: Pick<RunFacts, 'state' | 'kind'> }) {
  if (!isTerminal(run.state)) {
    return <Empty title="There is no result yet." text="It is shown here as soon as the function has returned." />
  }
  if (run.state === 'completed') {
    return (
      <Empty
        title="Its result was not recorded."
        text="It returned something that cannot be pickled, or was told not to keep it. On a resume it would run again."
      />
    )
  }
  return <Empty title="There is no result." text="Only a run that completed has one." />
}
