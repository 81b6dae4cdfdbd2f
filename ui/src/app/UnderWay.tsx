import { UnderWayDocument } from '@/gql/graphql'
import { graphql } from '@/lib/api'
import { isTerminal, STATE_NAMES } from '@/lib/states'
import { formatCount } from '@/lib/time'
import { useLiveQuery } from '@/live/live'
import { StateGlyph } from '@/ui/State'
import styles from './UnderWay.module.css'

const STATES = STATE_NAMES.filter((state) => !isTerminal(state))
const PAUSE = 1000

/** How many flow runs have not ended, beside the way to them; nothing where there is none. */
export function UnderWay() {
  const { data } = useLiveQuery(
    ['under way'],
    async (signal) => (await graphql(UnderWayDocument, { states: STATES }, signal)).runs_aggregate.aggregate.count,
    ['runs'],
    { pauseMs: PAUSE },
  )
  if (!data) return null
  return (
    <em className={styles.count} title={`${formatCount(data)} under way`}>
      <StateGlyph state="running" size={10} />
      {formatCount(data)}
    </em>
  )
}
