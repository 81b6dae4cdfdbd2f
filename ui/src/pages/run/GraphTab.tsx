import { lazy, Suspense } from 'react'
import { getJson } from '@/lib/api'
import { useLiveQuery } from '@/live/live'
import { Boundary } from '@/ui/Boundary'
import { Empty } from '@/ui/Empty'
import { ErrorPane } from '@/ui/ErrorPane'
import type { GraphData } from '@/viz/graph/graph'
import type { Change } from './RunPage'
import styles from './RunPage.module.css'
import { isUnderWay } from './RunView'
import { type Run, topicsOf } from './useRun'

const Graph = lazy(() => import('@/viz/graph/Graph').then((part) => ({ default: part.Graph })))

/** What depended on what: a node for each task, not for each of its runs. */
export function GraphTab({ run, selected, change }: { run: Run; selected: string | undefined; change: Change }) {
  const read = (signal: AbortSignal) => getJson<GraphData>(`api/runs/${run.id}/graph`, { signal })
  const graph = useLiveQuery(['run-graph', run.id], read, topicsOf(run), { pauseMs: 500 })
  return (
    <section className={styles.graph} aria-label="Graph">
      <Boundary title="The graph cannot be drawn.">
        {graph.error && !graph.data && <ErrorPane error={graph.error} onRetry={() => void graph.refetch()} />}
        {graph.data && graph.data.nodes.length === 0 && (
          <Empty
            title={isUnderWay(run) ? 'No task has been called yet.' : 'It called no task.'}
            text="A task that is given the result of another one depends on it: that is all it takes for an edge."
            code={'rows = extract.submit(day)\nclean.submit(rows)'}
          />
        )}
        {graph.data && graph.data.nodes.length > 0 && (
          <Suspense fallback={<div className={styles.loading} aria-busy="true" />}>
            <Graph graph={graph.data} selected={selected} onSelect={(key) => change({ node: key })} />
          </Suspense>
        )}
      </Boundary>
    </section>
  )
}
