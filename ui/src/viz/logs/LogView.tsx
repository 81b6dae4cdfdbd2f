import { useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useRef } from 'react'
import { createStore, useStore } from '@/lib/store'
import { useCoalesced, useLive } from '@/live/live'
import { Empty } from '@/ui/Empty'
import { ErrorPane } from '@/ui/ErrorPane'
import { LogFeed } from './feed'
import { LogLines } from './LogLines'
import { LogTools } from './LogTools'
import styles from './LogView.module.css'
import { type LogFilter, matchesOf, sourceOf } from './source'

/** What is chosen in the viewer; the page keeps it in the URL. */
export interface LogChoice {
  level?: string | undefined
  task?: string | undefined
  /** What is searched for. */
  q?: string | undefined
  /** Whether only lines that match are shown. */
  isMatchesOnly?: boolean
  /** The line that a link leads to. */
  line?: number | undefined
}

interface LogViewProps {
  runId: string
  rootId: string
  /** For the name of a downloaded file. */
  runName: string
  /** Whether more lines may come. */
  isRunning: boolean
  /** Names of tasks and flows to filter by. */
  tasks: readonly string[]
  choice: LogChoice
  onChoice: (change: Partial<LogChoice>) => void
  /** Whether `/` begins a search here. */
  hasKeys?: boolean
}

const wrapping = createStore(recall())

/** The log of a run and of everything below it: it streams, and however long it is, only what is on screen is here. */
export function LogView(props: LogViewProps) {
  const { runId, rootId, runName, isRunning, choice, onChoice } = props
  const { level, task, q = '', line, isMatchesOnly = false } = choice
  const isWrapped = useStore(wrapping)
  const host = useRef<HTMLDivElement>(null)
  const text = isMatchesOnly ? q : ''
  const filter = useMemo<LogFilter>(() => ({ level, task, text }), [level, task, text])
  const feed = useFeed(runId, rootId, filter, line)
  useFeedVersion(feed)
  const matches = useMatches(runId, filter, q, isRunning ? rootId : '')

  const poll = useCoalesced(() => feed.poll(), 100)
  useLive([`run:${rootId}`], poll)
  // What was logged last is told together with the end of the run, or just after it.
  useEffect(() => {
    if (!isRunning) poll()
  }, [isRunning, poll])

  const step = (by: 1 | -1) => {
    const found = matches.data ?? []
    if (!found.length) return
    const from = line ?? (by > 0 ? 0 : Number.POSITIVE_INFINITY)
    const next = by > 0 ? (found.find((n) => n > from) ?? found[0]) : (found.findLast((n) => n < from) ?? found.at(-1))
    onChoice({ line: next })
  }
  const setWrapped = (next: boolean) => {
    wrapping.set(next)
    remember(next)
  }
  const { phase, error, window } = feed
  const isEmpty = phase === 'ready' && window.entries.length === 0
  return (
    <div className={styles.view}>
      <LogTools
        {...props}
        filter={filter}
        count={feed.isNumbered || !feed.hasBefore ? (feed.isNumbered ? feed.lastNumber : window.entries.length) : null}
        matches={q ? (matches.data ?? []) : null}
        onStep={step}
        isWrapped={isWrapped}
        onWrapped={setWrapped}
        source={() => sourceOf(runId, filter)}
        fileName={`${runName}.log`}
      />
      {phase === 'failed' && (
        <ErrorPane title="The log cannot be read." error={error} onRetry={() => void feed.open(line ?? 'end')} />
      )}
      {isEmpty && <Nothing isRunning={isRunning} isFiltered={Boolean(level || task || text)} onChoice={onChoice} />}
      {!isEmpty && phase !== 'failed' && (
        <LogLines
          key={feed.id}
          feed={feed}
          isWrapped={isWrapped}
          query={q}
          matches={matches.data ?? []}
          line={line}
          onLine={(n) => onChoice({ line: n })}
          onName={(name) => onChoice({ task: name })}
          label={`Log of ${runName}`}
          host={host}
        />
      )}
    </div>
  )
}

function Nothing(props: { isRunning: boolean; isFiltered: boolean; onChoice: LogViewProps['onChoice'] }) {
  const { isRunning, isFiltered, onChoice } = props
  if (isFiltered) {
    const clear = () => onChoice({ level: undefined, task: undefined, q: undefined, isMatchesOnly: false })
    return (
      <Empty title="No line matches." text="Another level, task or text may have some.">
        <p>
          <button type="button" className={styles.clear} onClick={clear}>
            Show all lines
          </button>
        </p>
      </Empty>
    )
  }
  return (
    <Empty
      title={isRunning ? 'Nothing has been logged yet.' : 'Nothing was logged.'}
      text="What flows and tasks log at INFO and above is kept with the run. To keep what they print too, say so:"
      caption="Keeps what is printed"
      code={'@flow(log_prints=True)\ndef nightly():\n    print("hello")'}
    />
  )
}

/** The feed of a log; another filter makes another one. */
function useFeed(runId: string, rootId: string, filter: LogFilter, line: number | undefined): LogFeed {
  const isWhole = runId === rootId && !filter.level && !filter.task && !filter.text
  const first = useRef(line)
  first.current = line
  const feed = useMemo(() => new LogFeed(sourceOf(runId, filter), isWhole), [runId, filter, isWhole])
  useEffect(() => {
    feed.revive()
    void feed.open(first.current ?? 'end')
    return () => feed.close()
  }, [feed])
  return feed
}

/** Where the text that is searched for is found; asked for again while lines come. */
function useMatches(runId: string, filter: LogFilter, q: string, liveRootId: string) {
  const key = ['log-matches', runId, filter.level, filter.task, q]
  const result = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => matchesOf(runId, filter, q, signal),
    enabled: q !== '',
    placeholderData: (known) => known,
  })
  const again = useCoalesced(async () => void (await result.refetch()), 1_000)
  useLive(q && liveRootId ? [`run:${liveRootId}`] : [], again)
  return result
}

function useFeedVersion(feed: LogFeed): void {
  useStore(useMemo(() => ({ get: () => feed.version, subscribe: feed.subscribe, set: () => {} }), [feed]))
}

const KEY = 'stellwerk.logs.wrap'

function recall(): boolean {
  try {
    return (localStorage.getItem(KEY) ?? 'on') === 'on'
  } catch {
    return true
  }
}

function remember(isWrapped: boolean): void {
  try {
    localStorage.setItem(KEY, isWrapped ? 'on' : 'off')
  } catch {
    // It holds for this tab then.
  }
}
