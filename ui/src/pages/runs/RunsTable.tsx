import { useLocation } from '@tanstack/react-router'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useLayoutEffect, useRef, useState } from 'react'
import { useKeys } from '@/lib/keys'
import { useSettings } from '@/lib/settings'
import { isTerminal } from '@/lib/states'
import { formatCount, useNow, useZone, zoneLabel } from '@/lib/time'
import { useMedia } from '@/lib/useMedia'
import { Button } from '@/ui/Button'
import { RunRowView } from './RunRowView'
import styles from './RunsTable.module.css'
import type { RunList, RunRow } from './rows'

const ROW = { default: 34, compact: 28 }
const CARD = 60
const COLUMNS = ['State', 'Name', 'Flow', 'Started', 'Duration', 'Tasks', 'Tags']

interface RunsTableProps {
  list: RunList
  onMore: () => void
  onView: (view: { first: number; last: number; isHeld: boolean }) => void
  onShowNew: () => void
}

/** The table of runs: only what is in view is in the page, and nothing moves under the pointer. */
export function RunsTable({ list, onMore, onView, onShowNew }: RunsTableProps) {
  const { rows, isComplete, waiting } = list
  const scroller = useRef<HTMLDivElement>(null)
  const { density } = useSettings()
  const zone = useZone()
  const isNarrow = useMedia('(max-width: 639px)')
  const height = isNarrow ? CARD : ROW[density]

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 12,
    initialOffset: usePlace(scroller),
    getItemKey: (index) => rows[index]!.id,
  })
  // biome-ignore lint/correctness/useExhaustiveDependencies: the sizes are guessed once, until somebody says measure
  useEffect(() => virtual.measure(), [virtual, height])

  const items = virtual.getVirtualItems()
  const first = items[0]?.index ?? 0
  const last = items.at(-1)?.index ?? 0
  const [isTouched, setTouched] = useState(false)
  const isHeld = isTouched || (virtual.scrollOffset ?? 0) > 0
  useEffect(() => onView({ first, last, isHeld }), [onView, first, last, isHeld])
  useEffect(() => {
    if (!isComplete && last >= rows.length - 20) onMore()
  }, [isComplete, last, rows.length, onMore])

  const isCounting = (run: RunRow) => run.duration_seconds !== null && !isTerminal(run.state)
  const now = useNow(
    1000,
    items.some(({ index }) => isCounting(rows[index]!)),
  )
  useRowKeys(scroller, rows.length, (index) => virtual.scrollToIndex(index))

  const showNew = () => {
    scroller.current?.scrollTo({ top: 0 })
    onShowNew()
  }
  return (
    // The button lies over the rows: on the way to it, and when it goes from under the pointer, nothing may move either.
    <div
      className={styles.frame}
      onPointerEnter={(event) => event.pointerType === 'mouse' && setTouched(true)}
      onPointerLeave={() => setTouched(false)}
    >
      {waiting > 0 && (
        <Button look="main" size="small" className={styles.waiting} onClick={showNew}>
          {formatCount(waiting)} new
        </Button>
      )}
      <div
        ref={scroller}
        className={styles.scroller}
        role="table"
        aria-label="Runs"
        aria-rowcount={isComplete ? rows.length + 1 : -1}
        onFocus={() => setTouched(true)}
        onBlur={() => setTouched(false)}
      >
        <div role="rowgroup" className={styles.head}>
          <div role="row" aria-rowindex={1} className={styles.columns}>
            {COLUMNS.map((name) => (
              <div key={name} role="columnheader" className={styles[name.toLowerCase()]}>
                {name}
                {name === 'Started' && <span> {zoneLabel(Date.now() * 1000, zone)}</span>}
              </div>
            ))}
          </div>
        </div>
        <div role="rowgroup" className={styles.body} style={{ height: virtual.getTotalSize() }}>
          {items.map(({ key, index, start }) => {
            const run = rows[index]!
            return (
              <RunRowView
                key={key}
                run={run}
                index={index}
                top={start}
                height={height}
                now={isCounting(run) ? now : 0}
              />
            )
          })}
        </div>
      </div>
    </div>
  )
}

// Where each entry of the history was scrolled to; the back button leads to what one came from.
const places = new Map<string, number>()

/** Scroll to where this entry of the history was left, and remember where that is. Returns that place. */
function usePlace(scroller: React.RefObject<HTMLElement | null>): number {
  const entry = useLocation({ select: ({ state }) => state.__TSR_key ?? '' })
  useLayoutEffect(() => {
    const box = scroller.current
    box?.scrollTo({ top: places.get(entry) ?? 0 })
    return () => {
      places.set(entry, box?.scrollTop ?? 0)
    }
  }, [scroller, entry])
  return places.get(entry) ?? 0
}

/** `j` and `k` move from row to row; Enter follows the link that has the focus, as everywhere. */
function useRowKeys(
  scroller: React.RefObject<HTMLElement | null>,
  count: number,
  reveal: (index: number) => void,
): void {
  const move = (step: number) => {
    const present = document.activeElement?.getAttribute('data-run')
    const next = Math.max(0, Math.min(count - 1, present == null ? 0 : Number(present) + step))
    reveal(next)
    const focus = () =>
      scroller.current?.querySelector<HTMLElement>(`[data-run="${next}"]`)?.focus({ preventScroll: true })
    // A row that was out of view is in the page only after the next paint.
    focus()
    requestAnimationFrame(() => requestAnimationFrame(focus))
  }
  useKeys(
    {
      j: { label: 'Next run', run: () => move(1) },
      k: { label: 'Previous run', run: () => move(-1) },
      Enter: { label: 'Open the run', run: () => (document.activeElement as HTMLElement | null)?.click() },
    },
    { scope: 'Runs' },
  )
}
