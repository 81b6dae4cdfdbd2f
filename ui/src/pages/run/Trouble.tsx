import { Link } from '@tanstack/react-router'
import { ChevronDown, ChevronRight } from 'lucide-react'
import { useState } from 'react'
import { Code } from '@/ui/Code'
import { CopyButton } from '@/ui/CopyButton'
import { StateGlyph } from '@/ui/State'
import { Traceback } from './Traceback'
import styles from './Trouble.module.css'
import { briefOf, errorOf, type Run, type RunError, useTroubles } from './useRun'
import { adviceOf, causeOf, commandOf, sentence, whyOf } from './words'

/** What went wrong in a run, before anything else: what was raised, where it came from, and what to do. */
export function Trouble({ run, isShort }: { run: Run; isShort: boolean }) {
  const troubles = useTroubles(run)
  const error = errorOf(run)
  const isShown = run.state === 'failed' || run.state === 'crashed'
  const [isOpen, setOpen] = useState<boolean | null>(null)
  if (!isShown) return null
  const isFull = isOpen ?? !isShort
  const Chevron = isFull ? ChevronDown : ChevronRight
  const culprit = error && troubles.find((each) => sameError(errorOf(each), error))
  const others = troubles.filter((each) => each !== culprit)
  return (
    <section className={styles.trouble} data-state={run.state} aria-label="What went wrong">
      <div className={styles.head}>
        <button
          type="button"
          className={styles.toggle}
          aria-expanded={isFull}
          onClick={() => setOpen(!isFull)}
          aria-label="Details"
        >
          <Chevron size={16} strokeWidth={1.5} aria-hidden="true" />
        </button>
        <StateGlyph state={run.state} size={14} />
        <div className={styles.said}>
          {error ? <Raised error={error} isFull={isFull} /> : <p className={styles.headline}>{headline(run)}</p>}
          {culprit && (
            <p className={styles.from}>
              raised in{' '}
              <Link to="/runs/$id" params={{ id: culprit.id }}>
                {culprit.name}
              </Link>
            </p>
          )}
        </div>
        {error && <CopyButton text={error.traceback} label="Copy the traceback" />}
      </div>
      {isFull && (
        <div className={styles.body}>
          {run.state === 'crashed' && <Crashed run={run} />}
          {error?.traceback && <Traceback error={error} />}
          {others.length > 0 && <Others runs={others} title={othersTitle(run, Boolean(culprit))} />}
        </div>
      )}
    </section>
  )
}

function othersTitle(run: Run, hasCulprit: boolean): string {
  if (run.state === 'crashed') return 'What went down with it'
  return hasCulprit ? 'Also failed' : 'What failed in it'
}

function headline(run: Run): string {
  if (run.state === 'crashed') return run.cause ? causeOf(run.cause) : 'The process that ran it is gone.'
  return whyOf(run) || 'It failed without an exception.'
}

function Raised({ error, isFull }: { error: RunError; isFull: boolean }) {
  const [first = '', ...more] = error.message.split('\n')
  return (
    <p className={styles.message}>
      <span className={styles.type}>{error.type}</span>
      {error.message && ': '}
      {isFull ? <span className={styles.text}>{error.message}</span> : `${first}${more.length ? ' …' : ''}`}
    </p>
  )
}

function Crashed({ run }: { run: Run }) {
  const command = commandOf(run)
  const isRoot = run.parent_id === null
  return (
    <div className={styles.crashed}>
      {run.evidence && (
        <p>
          <span className={styles.label}>Evidence</span> {sentence(run.evidence)}
        </p>
      )}
      <p>
        <span className={styles.label}>What to do</span>{' '}
        {isRoot ? adviceOf(run.cause) : 'It fell with the run that owned it. Start that one again.'}
      </p>
      {isRoot && command && <Code text={command} caption="Starts it again as a new run" />}
    </div>
  )
}

interface OtherRun {
  id: string
  name: string
  state: string
  label: string | null
  error?: unknown
}

const SHOWN = 4

function Others({ runs, title }: { runs: readonly OtherRun[]; title: string }) {
  return (
    <div className={styles.others}>
      <span className={styles.label}>{title}</span>
      <ul>
        {runs.slice(0, SHOWN).map((run) => {
          const error = errorOf(run)
          return (
            <li key={run.id}>
              <StateGlyph state={run.state} label={run.label} />
              <Link to="/runs/$id" params={{ id: run.id }}>
                {run.name}
              </Link>
              {error && <span className={styles.brief}>{briefOf(error)}</span>}
            </li>
          )
        })}
        {runs.length > SHOWN && (
          <li>
            <Link to="." search={(before: object) => ({ ...before, tab: 'tasks', only: 'failed' })}>
              all that failed
            </Link>
          </li>
        )}
      </ul>
    </div>
  )
}

function sameError(one: RunError | null, other: RunError): boolean {
  return one !== null && one.type === other.type && one.message === other.message
}
