/** Where log lines come from: the REST verb, and GraphQL for what only it can ask. */

import { LogLinesDocument, LogMatchesDocument, type Logs_Bool_Exp } from '@/gql/graphql'
import { getJson, graphql } from '@/lib/api'
import { type Ask, PAGE, type Source } from './feed'
import { type LogLine, levelNumber } from './lines'

/** Which lines of a run are wanted. */
export interface LogFilter {
  level?: string | undefined
  /** Lines of the runs of this task or flow, or of the run of this name. */
  task?: string | undefined
  /** Lines that contain this. */
  text?: string | undefined
}

export const MOST_MATCHES = 1_000

/** A source of one run's lines, filtered. */
export function sourceOf(runId: string, filter: LogFilter): Source {
  return (ask, signal) =>
    filter.task || ask.before !== undefined ? byGraphql(runId, filter, ask, signal) : byRest(runId, filter, ask, signal)
}

async function byRest(runId: string, filter: LogFilter, ask: Ask, signal: AbortSignal): Promise<LogLine[]> {
  const asked = new URLSearchParams({ limit: String(ask.limit) })
  if (ask.after) asked.set('after', String(ask.after))
  if (ask.tail) asked.set('tail', String(ask.tail))
  const level = levelNumber(filter.level)
  if (level) asked.set('level', String(level))
  if (filter.text) asked.set('q', filter.text)
  return (await getJson<{ lines: LogLine[] }>(`api/runs/${runId}/logs?${asked}`, { signal })).lines
}

async function byGraphql(runId: string, filter: LogFilter, ask: Ask, signal: AbortSignal): Promise<LogLine[]> {
  const n = {
    ...(ask.after !== undefined && { _gt: ask.after }),
    ...(ask.before !== undefined && { _lt: ask.before }),
  }
  const variables = {
    id: runId,
    where: { _and: [whereOf(filter), { n }] },
    order: ask.tail ? ('desc' as const) : ('asc' as const),
    limit: ask.limit,
  }
  const { run } = await graphql(LogLinesDocument, variables, signal)
  const lines = (run?.logs ?? []).map((line) => ({
    ...line,
    n: Number(line.n),
    attempt: Number(line.attempt),
    run: line.run?.name ?? '',
  }))
  return ask.tail ? lines.reverse() : lines
}

function whereOf({ level, task, text }: LogFilter): Logs_Bool_Exp {
  const all: Logs_Bool_Exp[] = []
  const number = levelNumber(level)
  if (number) all.push({ level_number: { _gte: number } })
  if (text) all.push({ message: { _ilike: containing(text) } })
  if (task) {
    const isOfFlow = { kind: { _eq: 'flow' }, flow_name: { _eq: task } }
    all.push({ run: { _or: [{ task: { _eq: task } }, { name: { _eq: task } }, isOfFlow] } })
  }
  return { _and: all }
}

/** The numbers of the lines that contain a text, the first so many. */
export async function matchesOf(
  runId: string,
  filter: LogFilter,
  text: string,
  signal: AbortSignal,
): Promise<number[]> {
  const where = whereOf({ ...filter, text })
  const { run } = await graphql(LogMatchesDocument, { id: runId, where, limit: MOST_MATCHES }, signal)
  return (run?.logs ?? []).map((line) => Number(line.n))
}

/** A pattern that every text containing this one matches. */
export function containing(text: string): string {
  return `%${text.replace(/[\\%_]/g, '\\$&')}%`
}

/** Fetch every line, page by page, and hand the pages on. */
export async function readAll(
  source: Source,
  signal: AbortSignal,
  onLines: (lines: LogLine[]) => void,
  limit = PAGE,
): Promise<void> {
  let after = 0
  for (;;) {
    const lines = await source({ after, limit }, signal)
    if (lines.length) onLines(lines)
    if (lines.length < limit) return
    after = lines[lines.length - 1]!.n
  }
}
