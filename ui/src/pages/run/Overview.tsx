import { lazy, Suspense } from 'react'
import { toMillis, useNow, useZone } from '@/lib/time'
import { Boundary } from '@/ui/Boundary'
import { Empty } from '@/ui/Empty'
import { ErrorPane } from '@/ui/ErrorPane'
import type { TimelineData } from '@/viz/timeline/data'
import { LogsPane, type LogsPaneProps } from './LogsPane'
import styles from './RunPage.module.css'
import { isUnderWay } from './RunView'
import { SidePanel } from './SidePanel'
import { TasksPane, type TasksPaneProps } from './TasksPane'

const Timeline = lazy(() => import('@/viz/timeline/Timeline').then((part) => ({ default: part.Timeline })))

interface OverviewProps extends TasksPaneProps {
  timeline: { data: TimelineData; error: unknown; readAt: number; retry: () => void }
  logs: LogsPaneProps
}

/** The timeline with the tasks and the log below it; a chosen bar opens beside them. */
export function Overview({ logs, ...tasks }: OverviewProps) {
  const { search, change, run } = tasks
  const selected = search.selected && /^\d+$/.test(search.selected) ? Number(search.selected) : undefined
  return (
    <div className={styles.overview} data-selected={selected !== undefined}>
      <div className={styles.left}>
        <section className={styles.timeline} aria-label="Timeline">
          <Boundary title="The timeline cannot be drawn.">
            <TimelinePart {...tasks} selected={selected} />
          </Boundary>
        </section>
        <div className={styles.pair}>
          <TasksPane {...tasks} />
          <LogsPane {...logs} />
        </div>
      </div>
      {selected !== undefined && (
        <SidePanel key={selected} seq={selected} within={run} onClose={() => change({ selected: undefined })} />
      )}
    </div>
  )
}

function TimelinePart({ run, groups, timeline, search, change, selected }: TimelinePartProps) {
  const zone = useZone()
  const isLive = isUnderWay(run)
  const passed = useNow(1_000, isLive)
  const { data, readAt, error, retry } = timeline
  if (error) return <ErrorPane title="The timeline cannot be read." error={error} onRetry={retry} />
  if (!data.version) return <div className={styles.timelineWait} aria-busy="true" />
  if (groups.data?.length === 0 && data.count === 0) {
    return (
      <Empty
        title={isLive ? 'No task has been called yet.' : 'It called no task.'}
        text="Each task run and child flow gets a bar here as soon as it is called."
      />
    )
  }
  const range = rangeOf(search)
  const { ended_at } = run
  // The server's clock at its last answer, carried on by what has passed here since.
  const now = ended_at && !isLive ? toMillis(ended_at) * 1_000 : data.now + Math.max(0, passed - readAt) * 1_000
  return (
    <Suspense fallback={<div className={styles.timelineWait} aria-busy="true" />}>
      <Timeline
        data={data}
        now={now}
        isLive={isLive}
        only={search.only === 'failed' ? 'failed' : undefined}
        onOnly={(only) => change({ only })}
        range={range}
        onRange={(next) =>
          change({
            from: next ? String(Math.round(next[0])) : undefined,
            to: next ? String(Math.round(next[1])) : undefined,
          })
        }
        selected={selected}
        onSelect={(seq) => change({ selected: seq === undefined ? undefined : String(seq) })}
        zone={zone}
        maxHeight={360}
      />
    </Suspense>
  )
}

type TimelinePartProps = Omit<OverviewProps, 'logs'> & { selected: number | undefined }

/** The span that the URL says, µs since the epoch. */
function rangeOf({ from, to }: { from?: string | undefined; to?: string | undefined }): [number, number] | undefined {
  const span: [number, number] = [Number(from), Number(to)]
  return from && to && span[0] < span[1] ? span : undefined
}
