import { formatCount } from '@/lib/time'
import { StateGlyph } from '@/ui/State'
import { FAMILIES } from './family'
import styles from './Timeline.module.css'

/** A state that stands for its family, and the family's word. */
const SIGNS: Record<string, { state: string; word: string }> = {
  failed: { state: 'failed', word: 'failed' },
  crashed: { state: 'crashed', word: 'crashed' },
  attention: { state: 'cancelling', word: 'need attention' },
  running: { state: 'running', word: 'running' },
  waiting: { state: 'scheduled', word: 'waiting' },
  cancelled: { state: 'cancelled', word: 'cancelled' },
  success: { state: 'completed', word: 'completed' },
}

/** The signs of the families that there are, with their counts, the worst first. */
export function Legend({ counts }: { counts: ArrayLike<number> }) {
  const present = FAMILIES.map((family, number) => ({ family, count: counts[number]! }))
    .filter(({ count }) => count > 0)
    .reverse()
  return (
    <ul className={styles.legend} aria-label="Runs by state">
      {present.map(({ family, count }) => (
        <li key={family} className={styles.sign}>
          <StateGlyph state={SIGNS[family]!.state} />
          <span className={styles.count}>{formatCount(count)}</span> {SIGNS[family]!.word}
        </li>
      ))}
    </ul>
  )
}
