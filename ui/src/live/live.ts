import {
  type QueryKey,
  type UseQueryOptions,
  type UseQueryResult,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query'
import { useCallback, useEffect, useRef } from 'react'
import { useStore } from '@/lib/store'
import { type LiveMode, type LiveStatus, liveStatus, startLive, want } from './connection'

export { type LiveMode, type LiveStatus, retryNow } from './connection'

const watchers = new Map<string, Set<() => void>>()
let isWanting = false

/** Open the tab's connection. Called once. */
export function openLive(): void {
  startLive((topic) => {
    for (const watcher of [...(watchers.get(topic) ?? [])]) watcher()
  })
}

/** Tell the connection what is watched, once for all components that come and go together. */
function wantSoon(): void {
  if (isWanting) return
  isWanting = true
  queueMicrotask(() => {
    isWanting = false
    want([...watchers.keys()].sort())
  })
}

function watch(topic: string, watcher: () => void): () => void {
  const found = watchers.get(topic) ?? new Set()
  watchers.set(topic, found.add(watcher))
  wantSoon()
  return () => {
    found.delete(watcher)
    if (found.size === 0) watchers.delete(topic)
    wantSoon()
  }
}

/** Call `onChange` whenever one of the topics has changed, or may have (after a reconnect), while mounted. */
export function useLive(topics: readonly string[], onChange: () => void): void {
  const newest = useRef(onChange)
  useEffect(() => {
    newest.current = onChange
  })
  const all = topics.join(' ')
  useEffect(() => {
    const unwatch = all
      .split(' ')
      .filter(Boolean)
      .map((topic) => watch(topic, () => newest.current()))
    return () => {
      for (const each of unwatch) each()
    }
  }, [all])
}

/** How news comes at present. */
export function useLiveMode(): LiveMode {
  return useStore(liveStatus).mode
}

/** How news comes, since when not, and whether it is too early to tell. */
export function useLiveStatus(): LiveStatus {
  return useStore(liveStatus)
}

/**
 * Run `task` on each call, never twice at a time: calls that come while it runs become one more run right after it.
 * `pauseMs` keeps runs at least that far apart.
 */
export function useCoalesced(task: () => Promise<unknown>, pauseMs = 0): () => void {
  const newest = useRef(task)
  useEffect(() => {
    newest.current = task
  })
  const state = useRef({ isBusy: false, isAsked: false })
  return useCallback(() => {
    const { current } = state
    if (current.isBusy) {
      current.isAsked = true
      return
    }
    const run = async () => {
      current.isBusy = true
      do {
        current.isAsked = false
        try {
          await newest.current()
        } catch {
          // The task shows its own errors; the next change tries again.
        }
        if (pauseMs) await new Promise((resolve) => setTimeout(resolve, pauseMs))
      } while (current.isAsked)
      current.isBusy = false
    }
    void run()
  }, [pauseMs])
}

interface LiveOptions<T> extends Partial<Omit<UseQueryOptions<T>, 'queryKey' | 'queryFn'>> {
  /** Keep refetches at least this far apart. */
  pauseMs?: number
}

/** A query that is fetched again when one of its topics changes: at most one at a time, none is missed. */
export function useLiveQuery<T>(
  key: QueryKey,
  fetcher: (signal: AbortSignal) => Promise<T>,
  topics: readonly string[],
  { pauseMs = 0, ...options }: LiveOptions<T> = {},
): UseQueryResult<T> {
  const client = useQueryClient()
  const result = useQuery<T>({ ...options, queryKey: key, queryFn: ({ signal }) => fetcher(signal) })
  const isEnabled = options.enabled !== false
  const again = useCoalesced(async () => {
    // One that began before the change must not count as the answer to it, so it is waited for first.
    const running = client.getQueryCache().find({ queryKey: key, exact: true })
    if (running?.state.fetchStatus === 'fetching') await running.fetch().catch(() => {})
    await client.refetchQueries({ queryKey: key, exact: true }, { cancelRefetch: false })
  }, pauseMs)
  useLive(isEnabled ? topics : [], again)
  return result
}
