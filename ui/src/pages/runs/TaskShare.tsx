import { isTerminal } from '@/lib/states'
import { formatCount } from '@/lib/time'
import { StateGlyph } from '@/ui/State'
import { StateShare } from '@/ui/StateShare'
import styles from './TaskShare.module.css'

// The server looks at so many children of a run and no further.
const BOUND = 1000

/** How the tasks of a run stand: a bar, how many are done of how many, and how many did not make it. */
export function TaskShare({ tally }: { tally: readonly { state: string; count: number | string }[] }) {
  const counts = tally.map(({ state, count }) => ({ state, count: Number(count) }))
  const total = counts.reduce((sum, { count }) => sum + count, 0)
  if (total === 0) return <span className={styles.none}>–</span>
  const sum = (test: (state: string) => boolean) =>
    counts.reduce((all, { state, count }) => (test(state) ? all + count : all), 0)
  const done = sum(isTerminal)
  const failed = sum((state) => state === 'failed' || state === 'crashed')
  const isBounded = total >= BOUND
  const all = isBounded ? `${formatCount(BOUND)}+` : formatCount(total)
  return (
    <span className={styles.share}>
      <StateShare counts={counts} />
      <span className={styles.count}>{done < total && !isBounded ? `${formatCount(done)}/${all}` : all}</span>
      {failed > 0 && (
        <span className={styles.failed} title={`${formatCount(failed)} failed or crashed`}>
          <StateGlyph state="failed" size={10} />
          {formatCount(failed)}
        </span>
      )}
    </span>
  )
}
