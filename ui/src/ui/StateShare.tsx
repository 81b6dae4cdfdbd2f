import { familyOf, infoOf, STATE_NAMES } from '@/lib/states'
import { formatCount } from '@/lib/time'
import styles from './StateShare.module.css'

/** How many there are in each state. */
export type StateCounts = readonly { state: string; count: number }[] | Readonly<Record<string, number>>

function toPairs(counts: StateCounts): [string, number][] {
  const given = Array.isArray(counts)
    ? (counts as { state: string; count: number }[]).map(({ state, count }): [string, number] => [state, count])
    : Object.entries(counts as Record<string, number>)
  // What has ended comes first, so that the bar fills from the left; the worst stands at the front of it.
  const rank = (state: string) => {
    const { is_terminal, family } = infoOf(state)
    const number = STATE_NAMES.indexOf(state)
    return (is_terminal ? 0 : 100) + (family === 'success' ? 20 : 0) + (is_terminal ? number : -number)
  }
  return given.filter(([, count]) => count > 0).sort(([a], [b]) => rank(a) - rank(b))
}

/** Say counts by state in words: `2 failed, 98 completed`. */
export function shareInWords(counts: StateCounts): string {
  return toPairs(counts)
    .map(([state, count]) => `${formatCount(count)} ${infoOf(state).word.toLowerCase()}`)
    .join(', ')
}

/** A thin bar that shows how many there are in each state. */
export function StateShare({ counts, total }: { counts: StateCounts; total?: number }) {
  const pairs = toPairs(counts)
  const sum = total ?? pairs.reduce((all, [, count]) => all + count, 0)
  const words = shareInWords(counts)
  return (
    <span className={styles.bar} role="img" aria-label={words || 'none'} title={words}>
      {pairs.map(([state, count]) => (
        <span
          key={state}
          className={styles.part}
          style={{ flexGrow: count, background: `var(--st-${familyOf(state)})` }}
        />
      ))}
      <span style={{ flexGrow: Math.max(0, sum - pairs.reduce((all, [, count]) => all + count, 0)) }} />
    </span>
  )
}
