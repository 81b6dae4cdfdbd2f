import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import { type RunRowFragment, type Runs_Bool_Exp, RunsListDocument, RunsNewsDocument } from '@/gql/graphql'
import { graphql } from '@/lib/api'
import { isTerminal } from '@/lib/states'
import { useCoalesced, useLive } from '@/live/live'
import { appendPage, mergeNews, type News, type RunList, type RunRow, seqOf } from './rows'

const PAGE = 30
const NOTHING: Runs_Bool_Exp = { id: { _in: [] } }

interface View {
  /** The first and last row in view. */
  first: number
  last: number
  /** Whether nothing may move: somebody points at the list, or has scrolled away from its top. */
  isHeld: boolean
}

/** The list of runs that match, page by page by their seq, brought up to date as they change. */
export function useRunList(key: string, where: () => Runs_Bool_Exp, isEnabled: boolean) {
  const client = useQueryClient()
  const queryKey = ['runs', key]
  const view = useRef<View>({ first: 0, last: 50, isHeld: false })
  const read = async (bounds: Runs_Bool_Exp | null): Promise<RunRow[]> => {
    const condition = bounds ? { _and: [where(), bounds] } : where()
    return stamp((await graphql(RunsListDocument, { where: condition, limit: PAGE })).runs)
  }
  const query = useQuery<RunList>({
    queryKey,
    queryFn: async () => {
      const rows = await read(null)
      return { rows, isComplete: rows.length < PAGE, waiting: 0 }
    },
    enabled: isEnabled,
    // What is there is brought up to date by `refresh`, which moves nothing.
    refetchOnMount: false,
  })
  const update = (change: (list: RunList) => RunList) =>
    client.setQueryData<RunList>(queryKey, (list) => list && change(list))

  const refresh = useCoalesced(async () => {
    const list = client.getQueryData<RunList>(queryKey)
    // The first page is still on its way, or failed: then it is what to ask for.
    if (!list) return query.refetch({ cancelRefetch: false })
    const news = await readNews(list, view.current, where())
    update((now) => mergeNews(now, news, view.current.isHeld))
  })
  useLive(isEnabled ? ['runs'] : [], refresh)
  // A list that was left and is shown again: what happened meanwhile was told to nobody here.
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each list, however often it is drawn
  useEffect(() => {
    if (isEnabled && client.getQueryData(queryKey)) refresh()
  }, [key, isEnabled])

  const more = useCoalesced(async () => {
    const last = client.getQueryData<RunList>(queryKey)?.rows.at(-1)
    if (!last) return
    const page = await read({ seq: { _lt: last.seq } })
    update((now) => appendPage(now, page, PAGE))
  })

  // Rows that were out of view may have changed meanwhile.
  const settle = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(settle.current), [])
  const setView = (next: View) => {
    const before = view.current
    view.current = next
    if (before.isHeld === next.isHeld && before.first === next.first) return
    clearTimeout(settle.current)
    settle.current = setTimeout(refresh, before.isHeld && !next.isHeld ? 0 : 200)
  }
  const showNew = () => query.refetch()
  return { query, more, setView, showNew }
}

async function readNews({ rows, isComplete }: RunList, view: View, where: Runs_Bool_Exp): Promise<News> {
  // At the top the window reaches up to the newest of the list, else it is what is in view.
  const inView = rows.slice(view.first, view.last + 1)
  const [top, bottom, newest] = [inView[0], inView.at(-1), rows[0]]
  // A run older than the last row may match by now, where that row is the last of all.
  const from = isComplete && view.last >= rows.length - 1 ? 0 : bottom ? seqOf(bottom) : 0
  const underWay = inView.filter(({ state }) => !isTerminal(state)).map(({ id }) => id)
  const answer = await graphql(RunsNewsDocument, {
    newer: newest ? { _and: [where, { seq: { _gt: newest.seq } }] } : where,
    window: top ? { _and: [where, { seq: { _lte: top.seq, _gte: from } }] } : NOTHING,
    known: underWay.length ? { id: { _in: underWay } } : NOTHING,
    limit: PAGE,
  })
  return {
    newer: stamp(answer.newer),
    newerCount: answer.newer_count.aggregate.count,
    from,
    to: top ? seqOf(top) : 0,
    window: stamp(answer.window),
    known: stamp(answer.known),
  }
}

function stamp(rows: RunRowFragment[]): RunRow[] {
  const readAt = Date.now()
  return rows.map((row) => ({ ...row, readAt }))
}
