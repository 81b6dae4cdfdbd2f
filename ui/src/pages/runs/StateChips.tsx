import { type Runs_Bool_Exp, RunsCountsDocument, type RunsCountsQueryVariables } from '@/gql/graphql'
import { graphql } from '@/lib/api'
import { infoOf, STATE_NAMES } from '@/lib/states'
import { formatCount } from '@/lib/time'
import { useLiveQuery } from '@/live/live'
import { StateGlyph } from '@/ui/State'
import styles from './StateChips.module.css'

// Counting is the dearest thing on the page, and nobody reads four numbers a second.
const PAUSE = 1000
const ALWAYS = ['running', 'completed', 'failed']

/** How many runs are in each state, from SQL over all of them, whatever is loaded. */
export function useStateCounts(key: string, where: () => Runs_Bool_Exp, isEnabled: boolean) {
  const { data } = useLiveQuery(
    ['run counts', key],
    async (signal) => {
      const base = where()
      const each = STATE_NAMES.map((state) => [state, { _and: [base, { state: { _eq: state } }] }])
      const answer = await graphql(RunsCountsDocument, Object.fromEntries(each) as RunsCountsQueryVariables, signal)
      return new Map(Object.entries(answer).map(([state, { aggregate }]) => [state, aggregate.count]))
    },
    ['runs'],
    { pauseMs: PAUSE, enabled: isEnabled, placeholderData: (before) => before },
  )
  return data
}

interface StateChipsProps {
  counts: ReadonlyMap<string, number> | undefined
  chosen: readonly string[]
  onChange: (states: string[]) => void
}

/** The states with their counts; each one can be chosen. */
export function StateChips({ counts, chosen, onChange }: StateChipsProps) {
  const shown = STATE_NAMES.filter((state) => ALWAYS.includes(state) || chosen.includes(state) || counts?.get(state))
  const toggle = (state: string) => {
    const next = chosen.includes(state) ? chosen.filter((each) => each !== state) : [...chosen, state]
    onChange(STATE_NAMES.filter((each) => next.includes(each)))
  }
  return (
    <div className={styles.chips} role="group" aria-label="States">
      {shown.map((state) => (
        <button
          key={state}
          type="button"
          className={styles.chip}
          aria-pressed={chosen.includes(state)}
          onClick={() => toggle(state)}
        >
          <StateGlyph state={state} />
          {infoOf(state).word}
          <span className={styles.count}>{counts ? formatCount(counts.get(state) ?? 0) : ' '}</span>
        </button>
      ))}
    </div>
  )
}
