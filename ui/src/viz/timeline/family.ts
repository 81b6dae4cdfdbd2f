/** Families of states in the order in which the worse wins a shared pixel, and the family of a row. */

import { familyOf, STATE_NAMES, WORST_FIRST } from '@/lib/states'
import type { TimelineData } from './data'

/** From the mildest to the worst. In pixels and counts a family is its place in this list. */
export const FAMILIES = WORST_FIRST.toReversed()
export const FAMILY_COUNT = FAMILIES.length

export const WAITING = FAMILIES.indexOf('waiting')
export const SUCCESS = FAMILIES.indexOf('success')
const CRASHED = FAMILIES.indexOf('crashed')
const ATTENTION = FAMILIES.indexOf('attention')

const FAMILY_OF_STATE = Uint8Array.from(STATE_NAMES, (state) => FAMILIES.indexOf(familyOf(state)))

/** The family of one row. What waits after an attempt waits for its next one: that wants attention. */
export function familyOfRow(data: TimelineData, row: number): number {
  const family = FAMILY_OF_STATE[data.columns.state[row]!] ?? WAITING
  return family === WAITING && isRetrying(data, row) ? ATTENTION : family
}

function isRetrying(data: TimelineData, row: number): boolean {
  return STATE_NAMES[data.columns.state[row]!] === 'scheduled' && data.columns.attempts[row]! > 0
}

export function isFailure(family: number): boolean {
  return family >= CRASHED
}

/** A row's state and what it is to be called beside it: the frame tells no labels but this one can be told. */
export function stateOfRow(data: TimelineData, row: number): { state: string; label: string | null } {
  const state = STATE_NAMES[data.columns.state[row]!] ?? ''
  return { state, label: isRetrying(data, row) ? 'AwaitingRetry' : null }
}
