import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { ChevronDown } from 'lucide-react'
import { useCallback, useMemo, useState } from 'react'
import { useTitle } from '@/app/title'
import { FlowNamesDocument } from '@/gql/graphql'
import { graphql } from '@/lib/api'
import { formatCount, useZone } from '@/lib/time'
import { Button } from '@/ui/Button'
import { Empty } from '@/ui/Empty'
import { ErrorPane } from '@/ui/ErrorPane'
import { Menu, MenuChoice } from '@/ui/Menu'
import { PageHeader } from '@/ui/PageHeader'
import { compileFilter } from './compile'
import { FilterInput } from './FilterInput'
import { KINDS, parseFilter, valuesOf, withValues } from './filter'
import { NoMatch, NoRuns } from './RunsEmpty'
import styles from './RunsPage.module.css'
import { RunsTable } from './RunsTable'
import { StateChips, useStateCounts } from './StateChips'
import { useRunList } from './useRunList'

/** All runs, filtered by what the URL says. */
export function RunsPage() {
  const { q = '' } = useSearch({ strict: false })
  const navigate = useNavigate()
  const zone = useZone()
  const filter = useMemo(() => parseFilter(q), [q])
  const isReadable = filter.problems.length === 0
  const where = () => compileFilter(filter, Date.now(), zone)
  const withoutStates = withValues(q, 'state', [])
  const anyState = () => compileFilter(parseFilter(withoutStates), Date.now(), zone)

  const { query, more, setView, showNew } = useRunList(`${q} ${zone}`, where, isReadable)
  const counts = useStateCounts(`${withoutStates} ${zone}`, anyState, isReadable)
  const [isTyping, setTyping] = useState(false)
  const flows = useFlowNames(isTyping)
  const list = query.data
  const tags = useMemo(() => [...new Set(list?.rows.flatMap((row) => row.tags))].sort(), [list])
  const chosen = valuesOf(filter, 'state')
  const total = counts && [...counts].reduce((sum, [state, n]) => sum + (countsIn(chosen, state) ? n : 0), 0)
  useTitle(q ? `Runs: ${q} · Stellwerk` : 'Runs · Stellwerk')

  const setFilter = useCallback(
    (text: string, replace = false) => {
      void navigate({ to: '/runs', search: (before) => ({ ...before, q: text || undefined }), replace })
    },
    [navigate],
  )
  const kind = (valuesOf(filter, 'kind')[0] ?? 'flow') as keyof typeof KINDS
  const setKind = (next: string) => setFilter(withValues(q, 'kind', next === 'flow' ? [] : [next]))
  return (
    <div className={styles.page}>
      <PageHeader title="Runs" note={total === undefined ? '' : formatCount(total)} />
      <div className={styles.bar}>
        <FilterInput
          value={q}
          known={{ flows, tags }}
          onBegin={() => setTyping(true)}
          onChange={(text) => setFilter(text, true)}
        />
        <Menu
          align="end"
          trigger={
            <Button className={styles.kind} aria-label={`Kind: ${KINDS[kind]}`}>
              {KINDS[kind]}
              <ChevronDown size={14} strokeWidth={1.5} />
            </Button>
          }
        >
          <MenuChoice label="Show" value={kind} onChange={setKind} options={Object.entries(KINDS)} />
        </Menu>
      </div>
      <StateChips counts={counts} chosen={chosen} onChange={(states) => setFilter(withValues(q, 'state', states))} />
      {!isReadable ? (
        <Empty
          title="This filter cannot be read."
          text="It says above what is wrong; nothing is looked for until it is mended."
        />
      ) : query.isError && !list ? (
        <ErrorPane title="The runs cannot be shown." error={query.error} onRetry={() => void query.refetch()} />
      ) : !list ? (
        <div className={styles.loading} role="status" aria-label="Loading" />
      ) : list.rows.length > 0 ? (
        <RunsTable key={q} list={list} onMore={more} onView={setView} onShowNew={showNew} />
      ) : q ? (
        <NoMatch q={q} onClear={() => setFilter('')} />
      ) : (
        <NoRuns />
      )}
    </div>
  )
}

function countsIn(chosen: readonly string[], state: string): boolean {
  return chosen.length === 0 || chosen.includes(state)
}

/** The names of the flows, for suggestions; what came since the page was opened is no loss. */
function useFlowNames(isEnabled: boolean): string[] {
  const { data } = useQuery({
    queryKey: ['flow names'],
    queryFn: async ({ signal }) => (await graphql(FlowNamesDocument, {}, signal)).flows.map(({ name }) => name),
    refetchOnMount: false,
    enabled: isEnabled,
  })
  return data ?? []
}
