import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import {
  RunDocument,
  type RunFactsFragment,
  RunNeighboursDocument,
  type RunQuery,
  RunStoryDocument,
  RunTroublesDocument,
} from '@/gql/graphql'
import { getJson, graphql, request } from '@/lib/api'
import { isTerminal } from '@/lib/states'
import { useCoalesced, useLive, useLiveQuery } from '@/live/live'
import { decodeFrame, TimelineData } from '@/viz/timeline/data'

/** A run with what the page shows around it. */
export type Run = NonNullable<RunQuery['run']>

/** An exception as the record keeps it. */
export interface RunError {
  type: string
  message: string
  traceback: string
}

export type { RunFactsFragment as RunFacts }

/** The error of a run or an attempt, as what it is. */
export function errorOf(it: { error?: unknown }): RunError | null {
  return (it.error as RunError | null) ?? null
}

/** An error in one line. */
export function briefOf({ type, message }: RunError): string {
  return message ? `${type}: ${message.split('\n')[0]}` : type
}

/** What tells that something of a run has changed. A part of a run that has ended changes no more. */
export function topicsOf(run: { id: string; root_id: string; state: string } | null | undefined): string[] {
  if (!run || (run.id !== run.root_id && isTerminal(run.state))) return []
  return [`run:${run.root_id}`]
}

/** Whether a text can be the id of a run. */
export const isId = (text: string) => /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(text)

/** The run of an id. */
export function useRun(id: string) {
  const client = useQueryClient()
  const key = ['run', id]
  const known = client.getQueryData<RunQuery>(key)?.run
  return useLiveQuery(key, (signal) => graphql(RunDocument, { id }, signal), topicsOf(known), {
    enabled: isId(id),
    staleTime: 0,
  })
}

/** The id of the run that somebody means by a name or the beginning of an id; null when there is none. */
export function useRunByName(text: string) {
  return useQuery({
    queryKey: ['run-by-name', text],
    queryFn: async ({ signal }) => {
      const path = `api/runs/find?run=${encodeURIComponent(text)}`
      const found = await getJson<{ run: { id: string } }>(path, { signal }).catch((error) => {
        // There is none, or several: the page says so itself.
        if (error.status === 404 || error.status === 400) return null
        throw error
      })
      return found?.run.id ?? null
    },
    enabled: !isId(text),
  })
}

/** Counts of the task runs and child flow runs of one name. */
export interface TaskGroup {
  kind: 'task' | 'flow'
  name: string
  states: Record<string, number>
  started_at: string | null
  ended_at: string | null
}

/** The tasks and child flows of a run by name, in order of their first call. */
export function useGroups(run: Run) {
  const read = (signal: AbortSignal) => getJson<TaskGroup[]>(`api/runs/${run.id}/groups`, { signal })
  return useLiveQuery(['run-groups', run.id], read, topicsOf(run), { pauseMs: 250 })
}

/** Sum up counts over all names. */
export function totalOf(groups: readonly TaskGroup[]): Record<string, number> {
  const total: Record<string, number> = {}
  for (const { states } of groups) {
    for (const [state, count] of Object.entries(states)) total[state] = (total[state] ?? 0) + count
  }
  return total
}

/** The run before and after this one: of the same flow, or of the same task within one run. */
export function useNeighbours(run: Run) {
  const same =
    run.kind === 'flow'
      ? {
          kind: { _eq: 'flow' },
          flow_name: { _eq: run.flow_name ?? '' },
          parent_id: { _is_null: run.parent_id === null },
        }
      : {
          kind: { _eq: 'task' },
          task: { _eq: run.task ?? '' },
          parent_id: run.parent_id ? { _eq: run.parent_id } : { _is_null: true },
        }
  const { data } = useQuery({
    queryKey: ['run-neighbours', run.id],
    queryFn: ({ signal }) =>
      graphql(
        RunNeighboursDocument,
        { before: { ...same, seq: { _lt: run.seq } }, after: { ...same, seq: { _gt: run.seq } } },
        signal,
      ),
    staleTime: 10_000,
  })
  return { previous: data?.previous[0], next: data?.next[0] }
}

/** The runs that went wrong in a run that did not go well. */
export function useTroubles(run: Run) {
  const isEnabled = run.state === 'failed' || run.state === 'crashed'
  const read = (signal: AbortSignal) => graphql(RunTroublesDocument, { id: run.id }, signal)
  const { data } = useLiveQuery(['run-troubles', run.id], read, topicsOf(run), { pauseMs: 1_000, enabled: isEnabled })
  // What did not run because of another one is not where it began.
  return (data?.run?.children ?? []).filter((child) => child.label !== 'UpstreamFailed')
}

/** The transitions of a run. */
export function useStory(run: Run) {
  const read = (signal: AbortSignal) => graphql(RunStoryDocument, { id: run.id }, signal)
  return useLiveQuery(['run-story', run.id], read, topicsOf(run), { pauseMs: 250 })
}

/** The rows of a run's timeline: all of them once, then what has changed. */
export function useTimeline(run: Run, isEnabled: boolean) {
  // The page is another one for another run.
  const [data] = useState(() => new TimelineData())
  const [state, setState] = useState<{ error: unknown; readAt: number }>({ error: null, readAt: 0 })
  const ended = useRef(false)
  const read = async () => {
    const { after, open } = data.version ? data.next() : { after: 0, open: [] }
    const asked = new URLSearchParams()
    if (after) asked.set('after', String(after))
    if (open.length) asked.set('open', open.join(','))
    try {
      const answer = await request(`api/runs/${run.id}/timeline?${asked}`)
      data.apply(decodeFrame(await answer.arrayBuffer()))
      setState({ error: null, readAt: Date.now() })
    } catch (error) {
      setState((before) => ({ ...before, error }))
    }
  }
  const again = useCoalesced(read, 100)
  useLive(isEnabled ? topicsOf(run) : [], again)
  // The end of the run is news of its own: the last rows may have come with it.
  const isOver = isTerminal(run.state)
  useEffect(() => {
    if (!isEnabled || (ended.current && isOver && data.version)) return
    ended.current = isOver
    again()
  }, [isEnabled, isOver, data, again])
  return { data, error: data.version ? null : state.error, readAt: state.readAt, retry: again }
}
