import { describe, expect, it } from 'vitest'
import { eventOf, present, type Step, tell } from './story'

const step = (n: number, at: string, event: string, to: string, label: string | null = null): Step => ({
  n,
  at: `2026-11-24T10:00:${at}Z`,
  event,
  from_state: null,
  to_state: to,
  label,
})

const STEPS = [
  step(1, '00.000000', 'submitted', 'scheduled'),
  step(2, '02.500000', 'granted', 'pending'),
  step(3, '02.500250', 'began', 'running'),
  step(4, '12.500250', 'attempt_failed', 'scheduled', 'AwaitingRetry'),
  step(5, '42.500250', 'granted', 'pending'),
  step(6, '42.500251', 'began', 'running'),
  step(7, '43.000251', 'completed', 'completed'),
]
// Thin spaces stand between a number and its unit.
const plain = (text: string) => text.replaceAll('\u202f', ' ')

describe('a story', () => {
  it('explains the time between its steps by what the run did meanwhile', () => {
    expect(tell(STEPS).map(({ gap }) => plain(gap))).toEqual([
      '',
      'waited 2.5 s to be started',
      '',
      'ran for 10.0 s',
      'waited 30.0 s for the next attempt',
      '',
      'ran for 500 ms',
    ])
  })

  it('counts from the first step, to the microsecond', () => {
    const told = tell(STEPS)
    expect(told[2]!.after).toBeCloseTo(2.50025, 6)
    expect(told[5]!.since).toBeCloseTo(0.000001, 7)
  })

  it('tells what goes on since the last step', () => {
    const now = Date.parse('2026-11-24T10:00:20Z')
    expect(plain(present(STEPS.slice(0, 3), now))).toBe('has run for 17.5 s')
    expect(plain(present(STEPS.slice(0, 4), now))).toBe('has waited 7.5 s for the next attempt')
    expect(present([], now)).toBe('')
  })

  it('names events, also those it does not know', () => {
    expect([eventOf('submitted'), eventOf('attempt_failed')]).toEqual(['Called', 'Attempt failed'])
  })
})
