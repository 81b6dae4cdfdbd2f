/** A run's transitions with the time between them explained. */
import { formatDuration } from '@/lib/time'

export interface Step {
  n: number
  at: string
  event: string
  from_state: string | null
  to_state: string
  label: string | null
}

export interface ToldStep extends Step {
  /** Seconds since the step before, and since the first. */
  since: number
  after: number
  /** What it did in between; empty when that took no time worth telling. */
  gap: string
}

const WORTH_TELLING = 0.001

const EVENTS: Record<string, string> = {
  submitted: 'Called',
  granted: 'Granted',
  began: 'Began',
  completed: 'Completed',
  failed: 'Failed',
  crashed: 'Crashed',
  cancelled: 'Cancelled',
  skipped: 'Skipped',
  cached: 'Taken from an earlier call',
  retried: 'Waits for its next attempt',
  paused: 'Paused',
  resumed: 'Resumed',
}

/** Name an event for people. */
export function eventOf(event: string): string {
  const known = EVENTS[event]
  if (known) return known
  const text = event.replaceAll('_', ' ')
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** Explain the time before each step by the state that lasted so long. */
export function tell(steps: readonly Step[]): ToldStep[] {
  const first = steps[0] ? Date.parse(steps[0].at) : 0
  return steps.map((step, place) => {
    const before = steps[place - 1]
    const at = moment(step.at)
    const since = before ? Math.max(0, at - moment(before.at)) : 0
    return { ...step, since, after: Math.max(0, at - first / 1000), gap: before ? gapOf(before, since) : '' }
  })
}

/** Say what a run does since its last step, while it has not ended. */
export function present(steps: readonly Step[], now: number): string {
  const last = steps.at(-1)
  return last ? gapOf(last, Math.max(0, now / 1000 - moment(last.at)), true) : ''
}

function gapOf(before: Step, seconds: number, isPresent = false): string {
  if (seconds < WORTH_TELLING) return ''
  const length = formatDuration(seconds)
  const s = isPresent ? 'has ' : ''
  if (before.to_state === 'scheduled') {
    if (before.label === 'AwaitingRetry') return `${s}waited ${length} for the next attempt`
    if (before.label === 'AwaitingUpstream') return `${s}waited ${length} for what it depends on`
    return `${s}waited ${length} to be started`
  }
  if (before.to_state === 'pending') return `${s}waited ${length} for its code to begin`
  if (before.to_state === 'running') return isPresent ? `has run for ${length}` : `ran for ${length}`
  if (before.to_state === 'paused') return isPresent ? `has been paused for ${length}` : `was paused for ${length}`
  if (before.to_state === 'cancelling') return isPresent ? `has been stopping for ${length}` : `took ${length} to stop`
  return isPresent ? '' : `rested for ${length}`
}

function moment(text: string): number {
  // Dates have milliseconds only; the microseconds are added, so that short steps are told truly.
  const micros = /\.\d{3}(\d{1,3})/.exec(text)?.[1] ?? ''
  return Date.parse(text) / 1000 + Number(micros.padEnd(3, '0')) / 1e6
}
