import { useEffect, useRef, useState } from 'react'
import { TaskRowsDocument, type TaskRowsQuery } from '@/gql/graphql'
import { graphql } from '@/lib/api'
import type { TimelineData } from '@/viz/timeline/data'

/** What the timeline does not know of a run: its id, name, error and result. */
export type TaskDetail = TaskRowsQuery['runs'][number]

const PATIENCE = 80 // ms for which the rows must rest before they are asked for

/** Details of the rows on screen, by seq: each is asked for once, and again when its state has changed. */
export function useTaskDetails(data: TimelineData, rows: readonly number[]): ReadonlyMap<number, TaskDetail> {
  const [known, setKnown] = useState<ReadonlyMap<number, TaskDetail>>(new Map())
  const states = useRef(new Map<number, number>())
  const { seq, state } = data.columns
  const missing = rows.filter((row) => states.current.get(seq[row]!) !== state[row]).map((row) => seq[row]!)
  const key = missing.join()
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the rows
  useEffect(() => {
    if (!missing.length) return
    const aborter = new AbortController()
    const asked = missing.map((each) => [each, state[data.rowOf(each)]!] as const)
    const timer = setTimeout(async () => {
      try {
        const found = await graphql(TaskRowsDocument, { seqs: missing }, aborter.signal)
        for (const [each, was] of asked) states.current.set(each, was)
        setKnown((before) => new Map([...before, ...found.runs.map((run) => [Number(run.seq), run] as const)]))
      } catch {
        // The rows stay as the timeline tells them; scrolling or the next change asks again.
      }
    }, PATIENCE)
    return () => {
      clearTimeout(timer)
      aborter.abort()
    }
  }, [key])
  return known
}
