import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { ArrowDown } from 'lucide-react'
import { useMemo, useRef, useState } from 'react'
import { useTitle } from '@/app/title'
import { FlowsDocument } from '@/gql/graphql'
import { graphql } from '@/lib/api'
import { formatCount } from '@/lib/time'
import { useLiveQuery } from '@/live/live'
import { formatTerm } from '@/pages/runs/filter'
import { NoRuns } from '@/pages/runs/RunsEmpty'
import { Button } from '@/ui/Button'
import { Empty } from '@/ui/Empty'
import { ErrorPane } from '@/ui/ErrorPane'
import { PageHeader } from '@/ui/PageHeader'
import { FlowRowView } from './FlowRowView'
import styles from './FlowsPage.module.css'
import { type FlowRow, holdOrder } from './summary'

const PAGE = 50
// A flow's row sums up 20 runs; more than once in two seconds nobody reads that.
const PAUSE = 2000

const ORDERS = {
  last: [{ last_run_at: 'desc' }],
  name: [{ name: 'asc' }],
  runs: [{ run_count: 'desc' }],
} as const
type Order = keyof typeof ORDERS

/** All flows, each with how its last runs went. */
export function FlowsPage() {
  const { q = '', sort = 'last' } = useSearch({ strict: false })
  const order: Order = sort in ORDERS ? (sort as Order) : 'last'
  const navigate = useNavigate()
  const [limit, setLimit] = useState(PAGE)
  useTitle('Flows · Stellwerk')

  const query = useLiveQuery(
    ['flows', q, order, limit],
    (signal) => {
      const like = `%${q.replace(/[\\%_]/g, '\\$&')}%`
      const where = q ? { name: { _ilike: like } } : {}
      return graphql(FlowsDocument, { where, order: [...ORDERS[order]], limit }, signal)
    },
    ['runs'],
    { pauseMs: PAUSE, placeholderData: (before) => before },
  )
  const total = query.data?.flows_aggregate.aggregate.count
  const search = (change: Record<string, string | undefined>) =>
    void navigate({ to: '/flows', search: (before) => ({ ...before, ...change }), replace: true })
  return (
    <div className={styles.page}>
      <PageHeader
        title="Flows"
        note={total === undefined ? '' : formatCount(total)}
        actions={
          (total !== 0 || q) && (
            <input
              className={styles.filter}
              type="search"
              placeholder="Part of a name"
              aria-label="Show flows with this in their name"
              defaultValue={q}
              onChange={(event) => search({ q: event.target.value || undefined })}
            />
          )
        }
      />
      {query.isError && !query.data ? (
        <ErrorPane title="The flows cannot be shown." error={query.error} onRetry={() => void query.refetch()} />
      ) : !query.data ? null : query.data.flows.length > 0 ? (
        <FlowsTable
          rows={query.data.flows}
          order={order}
          isOld={query.isPlaceholderData}
          onOrder={(next) => search({ sort: next })}
        />
      ) : q ? (
        <Empty title="No flow has that in its name." text={`There is none with “${q}”.`} />
      ) : (
        <NoRuns />
      )}
      {total !== undefined && total > limit && limit < 1000 && (
        <Button className={styles.more} onClick={() => setLimit(Math.min(1000, limit + PAGE))}>
          Show more of {formatCount(total)}
        </Button>
      )}
    </div>
  )
}

interface FlowsTableProps {
  rows: FlowRow[]
  order: Order
  /** Whether the rows are still those of before, in another order. */
  isOld: boolean
  onOrder: (order: Order) => void
}

function FlowsTable({ rows, order, isOld, onOrder }: FlowsTableProps) {
  const [isTouched, setTouched] = useState(false)
  const held = useRef<{ order: Order; names: string[] }>({ order, names: [] })
  const shown = useMemo(() => {
    if (isOld) return rows
    const isHeld = isTouched && held.current.order === order
    const list = isHeld ? holdOrder(rows, held.current.names) : rows
    held.current = { order, names: list.map(({ name }) => name) }
    return list
  }, [rows, order, isOld, isTouched])
  const head = (column: Order, text: string) => (
    <button type="button" className={styles.sort} onClick={() => onOrder(column)}>
      {text}
      {order === column && <ArrowDown size={12} strokeWidth={1.5} aria-hidden="true" />}
    </button>
  )
  const direction = (column: Order) =>
    order === column ? ({ 'aria-sort': column === 'name' ? 'ascending' : 'descending' } as const) : {}
  return (
    <div
      className={styles.frame}
      onPointerEnter={(event) => event.pointerType === 'mouse' && setTouched(true)}
      onPointerLeave={() => setTouched(false)}
    >
      <table className={styles.table}>
        <thead>
          <tr>
            <th {...direction('name')}>{head('name', 'Flow')}</th>
            <th {...direction('last')}>{head('last', 'Last run')}</th>
            <th className={styles.pulse}>Last 20 runs</th>
            <th className={styles.number}>Success</th>
            <th className={styles.number}>p50</th>
            <th className={styles.number} {...direction('runs')}>
              {head('runs', 'Runs')}
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((flow) => (
            <FlowRowView key={flow.name} flow={flow}>
              <Link
                to="/runs"
                search={{ q: formatTerm({ key: 'flow', isNegated: false, values: [flow.name] }) }}
                className={styles.link}
                title={flow.name}
              >
                {flow.name}
              </Link>
            </FlowRowView>
          ))}
        </tbody>
      </table>
    </div>
  )
}
