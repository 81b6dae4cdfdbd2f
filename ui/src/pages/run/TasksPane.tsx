import type { UseQueryResult } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import type { Search } from '@/app/search'
import { Button } from '@/ui/Button'
import { Empty } from '@/ui/Empty'
import { ErrorPane } from '@/ui/ErrorPane'
import { Pane } from '@/ui/Pane'
import type { TimelineData } from '@/viz/timeline/data'
import { stateOfRow } from '@/viz/timeline/family'
import type { Change } from './RunPage'
import styles from './RunPage.module.css'
import { isUnderWay } from './RunView'
import { GroupRow, TaskRunRow } from './TaskRow'
import list from './Tasks.module.css'
import { type Durations, durationsOf, failuresOf, keyOf, listOf, membersOf } from './tasks'
import type { Run, TaskGroup } from './useRun'
import { useTaskDetails } from './useTaskDetails'

export interface TasksPaneProps {
  run: Run
  groups: UseQueryResult<TaskGroup[]>
  timeline: { data: TimelineData; readAt: number }
  search: Search
  change: Change
  /** Whether it is the whole tab. */
  isWide?: boolean
}

const ROW = 32
const SEPARATOR = '|'

/** The tasks and child flows of a run by name, each to be unfolded into its runs. */
export function TasksPane({ run, groups, timeline, search, change, isWide = false }: TasksPaneProps) {
  const isFailedOnly = search.only === 'failed'
  const failures = (groups.data ?? []).reduce((sum, group) => sum + failuresOf(group), 0)
  const actions = (
    <>
      {(failures > 0 || isFailedOnly) && isWide && (
        <Button
          size="small"
          look="plain"
          aria-pressed={isFailedOnly}
          onClick={() => change({ only: isFailedOnly ? undefined : 'failed' })}
        >
          Only failed
        </Button>
      )}
      {!isWide && (
        <Link className={styles.more} to="." search={(before: object) => ({ ...before, tab: 'tasks' })}>
          Open
        </Link>
      )}
    </>
  )
  return (
    <Pane title="Tasks" isFilling className={isWide ? styles.mainTasks : styles.sideTasks} actions={actions}>
      {groups.error && !groups.data ? (
        <ErrorPane error={groups.error} onRetry={() => void groups.refetch()} />
      ) : (
        <TaskList run={run} groups={groups.data} timeline={timeline} search={search} change={change} isWide={isWide} />
      )}
    </Pane>
  )
}

interface TaskListProps extends Omit<TasksPaneProps, 'groups'> {
  groups: readonly TaskGroup[] | undefined
}

function TaskList({ run, groups, timeline, search, change, isWide = false }: TaskListProps) {
  const { data } = timeline
  const version = useSyncExternalStore(data.subscribe, () => data.version)
  const isFailedOnly = search.only === 'failed'
  const opened = useMemo(() => new Set<string>((search.open ?? '').split(SEPARATOR).filter(Boolean)), [search.open])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the data is the same object with other contents
  const members = useMemo(() => membersOf(data), [data, version])
  const durations = useDurations(data, members)
  const rows = useMemo(
    () => listOf(groups ?? [], data, members, opened, isFailedOnly),
    [groups, data, members, opened, isFailedOnly],
  )
  const box = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 6,
  })
  const items = virtual.getVirtualItems()
  const shown = items.map(({ index }) => rows[index]!).filter((row) => row.kind === 'run')
  const details = useTaskDetails(
    data,
    shown.map((row) => row.row),
  )

  if (!groups) return <div className={styles.loading} aria-busy="true" />
  if (!groups.length) return <NoTasks isRunning={isUnderWay(run)} />
  if (!rows.length) return <Empty title="Nothing failed." text="No task run of this run has failed or crashed." />
  const toggle = (key: string) => {
    const next = new Set(opened)
    if (!next.delete(key)) next.add(key)
    change({ open: [...next].join(SEPARATOR) || undefined })
  }
  return (
    <div className={list.list} data-wide={isWide} role="table" aria-label="Tasks" aria-rowcount={rows.length + 1}>
      <div className={list.head} role="row">
        <span role="columnheader">Task</span>
        <span role="columnheader">State</span>
        <span role="columnheader" className={list.bar}>
          Share
        </span>
        <span role="columnheader" className={list.right}>
          p50
        </span>
        <span role="columnheader" className={list.wide}>
          Max
        </span>
        <span role="columnheader" className={list.wide}>
          First began
        </span>
        <span role="columnheader" className={list.wide}>
          Last ended
        </span>
      </div>
      <div ref={box} className={list.box} role="rowgroup">
        <div className={list.rows} style={{ height: virtual.getTotalSize() }}>
          {items.map(({ index, start }) => {
            const row = rows[index]!
            const { group } = row
            return row.kind === 'group' ? (
              <GroupRow
                key={keyOf(group)}
                group={group}
                durations={durations.get(keyOf(group)) ?? null}
                label={labelOf(data, members.get(keyOf(group)))}
                isOpen={isFailedOnly || opened.has(keyOf(group))}
                onToggle={() => toggle(keyOf(group))}
                top={start}
                rowIndex={index + 2}
              />
            ) : (
              <TaskRunRow
                key={data.columns.seq[row.row]}
                data={data}
                row={row.row}
                detail={details.get(data.columns.seq[row.row]!)}
                readAt={timeline.readAt}
                top={start}
                rowIndex={index + 2}
              />
            )
          })}
        </div>
      </div>
    </div>
  )
}

/** The label of the only run of a group. */
function labelOf(data: TimelineData, rows: readonly number[] | undefined): string | null {
  return rows?.length === 1 ? stateOfRow(data, rows[0]!).label : null
}

function NoTasks({ isRunning }: { isRunning: boolean }) {
  return (
    <Empty
      title={isRunning ? 'No task has been called yet.' : 'It called no task.'}
      text="A function becomes a task by its decorator. Each call is then recorded here, with its state, log and result."
      code={'@task\ndef clean(day: str) -> int:\n    ...'}
    />
  )
}

const MANY = 20_000 // rows beyond which durations are worked out once a second at most
const PAUSE = 1_000

/** How long the runs of each group took. */
function useDurations(data: TimelineData, members: ReadonlyMap<string, readonly number[]>): Map<string, Durations> {
  const [found, setFound] = useState<Map<string, Durations>>(new Map())
  const last = useRef(0)
  useEffect(() => {
    const work = () => {
      last.current = Date.now()
      const next = new Map<string, Durations>()
      for (const [key, rows] of members) {
        const durations = durationsOf(data, rows)
        if (durations) next.set(key, durations)
      }
      setFound(next)
    }
    const wait = data.count > MANY ? last.current + PAUSE - Date.now() : 0
    if (wait <= 0) return work()
    const timer = setTimeout(work, wait)
    return () => clearTimeout(timer)
  }, [data, members])
  return found
}
