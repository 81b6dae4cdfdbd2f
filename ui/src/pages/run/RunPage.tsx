import { useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { useCallback, useEffect } from 'react'
import type { Search } from '@/app/search'
import { useTitle } from '@/app/title'
import { wordOf } from '@/lib/states'
import { ErrorPane } from '@/ui/ErrorPane'
import { NotFound } from './NotFound'
import styles from './RunPage.module.css'
import { RunView } from './RunView'
import { useRun, useRunByName } from './useRun'

/** Change what the URL says; undefined takes a key out. `push` makes a step for the back button. */
export type Change = (change: Search, push?: boolean) => void

/** One run: how it stands and why, what went wrong first, then what it did. */
export function RunPage() {
  const { id } = useParams({ from: '/runs/$id' })
  const search = useSearch({ strict: false }) as Search
  const navigate = useNavigate()
  const byName = useRunByName(id)
  const found = useRun(id)

  const change = useCallback<Change>(
    (changed, push = false) => {
      void navigate({ to: '.', search: (before: Search) => ({ ...before, ...changed }), replace: !push } as never)
    },
    [navigate],
  )
  // A name leads to the run it means; the address then has its id.
  useEffect(() => {
    if (byName.data) void navigate({ to: '/runs/$id', params: { id: byName.data }, search, replace: true } as never)
  }, [byName.data, navigate, search])
  // `#L123` leads to a line as well as `?line=123`.
  useEffect(() => {
    const line = /^#L(\d+)$/.exec(location.hash)?.[1]
    if (line) change({ tab: 'logs', line })
  }, [change])

  const run = found.data?.run
  const isMissing = byName.data === null || found.data?.run === null
  useTitle(titleOf(run, isMissing), run?.state)
  const error = byName.error ?? (run ? null : found.error)
  if (error) {
    const retry = () => void (byName.error ? byName.refetch() : found.refetch())
    return <ErrorPane title="The run cannot be shown." error={error} onRetry={retry} isPage />
  }
  if (isMissing) return <NotFound text={id} />
  if (!run) return <div className={styles.loading} aria-busy="true" />
  return <RunView key={run.id} run={run} search={search} change={change} />
}

function titleOf(
  run: { name: string; state: string; label: string | null; flow_name: string | null } | null | undefined,
  isMissing: boolean,
) {
  if (isMissing) return 'No such run · Stellwerk'
  if (!run) return 'Run · Stellwerk'
  return `${run.name} ${wordOf(run.state, run.label).toLowerCase()} · ${run.flow_name ?? 'no flow'}`
}
