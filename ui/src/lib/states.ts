import raw from '@/gql/states.json'

/** The seven colours of the product. */
export type Family = 'waiting' | 'running' | 'success' | 'attention' | 'failed' | 'crashed' | 'cancelled'

/** How a state is shown. */
export interface StateInfo {
  state: string
  word: string
  family: Family
  glyph: string
  is_terminal: boolean
}

/** How a label is shown; it explains a state and never drives anything. */
export interface LabelInfo {
  label: string
  word: string
  family: Family
  glyph: string
  /** A sentence without its subject: "waits for tasks it depends on". */
  about: string
}

/** The states, in the order of their numbers on the wire. */
export const STATES = raw.states as readonly StateInfo[]

/** The names of the states, in order. */
export const STATE_NAMES: readonly string[] = STATES.map(({ state }) => state)

/** Where several share a pixel or a word, the first of these is shown. */
export const WORST_FIRST = raw.families.map(({ family }) => family) as readonly Family[]

const states = new Map(STATES.map((info) => [info.state, info]))
// How an end came about is told in words beside it; there the state itself says most.
const TOLD_BESIDE = new Set(['OwnerLost', 'Interrupted', 'Exited'])
const labels = new Map(
  (raw.labels as LabelInfo[]).filter(({ label }) => !TOLD_BESIDE.has(label)).map((info) => [info.label, info]),
)

/** How a state is shown; one that only a newer server knows is shown by its own name. */
export function infoOf(state: string): StateInfo {
  return states.get(state) ?? { state, word: state || 'Unknown', family: 'waiting', glyph: 'ring', is_terminal: false }
}

/** How a label is shown in place of its state; undefined where the state itself is shown. */
export function labelOf(label: string | null | undefined): LabelInfo | undefined {
  return label ? labels.get(label) : undefined
}

/** The colour family of a state. A label can move it: what waits for its next attempt wants attention. */
export function familyOf(state: string, label?: string | null): Family {
  return labelOf(label)?.family ?? infoOf(state).family
}

/** Whether nothing more happens to a run in this state. */
export function isTerminal(state: string): boolean {
  return infoOf(state).is_terminal
}

/** The state of the worst family among these; undefined of none. */
export function worst(among: readonly string[]): string | undefined {
  const rank = (state: string) => WORST_FIRST.indexOf(infoOf(state).family)
  return among.reduce<string | undefined>((best, state) => {
    return best === undefined || rank(state) < rank(best) ? state : best
  }, undefined)
}

/** The word under which a state with its label is shown: the label's, as it says more. */
export function wordOf(state: string, label?: string | null): string {
  return labelOf(label)?.word ?? infoOf(state).word
}
