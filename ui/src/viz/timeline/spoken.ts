/** A row in words. */

import { wordOf } from '@/lib/states'
import { formatDuration, formatTime } from '@/lib/time'
import type { TimelineData } from './data'
import { stateOfRow } from './family'

export interface Facts {
  name: string
  state: string
  label: string | null
  /** Written out; undefined: it has not started. */
  started: string | undefined
  duration: string | undefined
  /** From its creation to its start, or until now. */
  waited: string
  attempts: number
}

/** What there is to say about a row. `now` in the data's time. */
export function factsOf(data: TimelineData, row: number, now: number, zone: string): Facts {
  const { start, end, created, attempts } = data.columns
  const from = start[row]!
  const until = end[row]!
  const hasStarted = !Number.isNaN(from)
  const hasEnded = !Number.isNaN(until)
  const waitedUntil = hasStarted ? from : hasEnded ? until : now
  return {
    name: data.label(row),
    ...stateOfRow(data, row),
    started: hasStarted ? formatTime(data.base + from, zone, { millis: true }) : undefined,
    duration: hasStarted ? formatDuration(((hasEnded ? until : now) - from) / 1e6) : undefined,
    waited: formatDuration((waitedUntil - created[row]!) / 1e6),
    attempts: attempts[row]!,
  }
}

/** `transform[98377], failed, 10:16:02.114, 1.4 s` */
export function spoken(data: TimelineData, row: number, now: number, zone: string): string {
  const facts = factsOf(data, row, now, zone)
  const state = wordOf(facts.state, facts.label).toLowerCase()
  return [facts.name, state, facts.started, facts.duration].filter(Boolean).join(', ')
}
