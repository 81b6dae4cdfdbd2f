import { type RefObject, useEffect, useLayoutEffect, useRef, useSyncExternalStore } from 'react'
import { formatCount, useZone } from '@/lib/time'
import { Button } from '@/ui/Button'
import type { LogFeed } from './feed'
import styles from './LogLines.module.css'
import { LogRow, ROW } from './LogRow'
import { roomOf, useSize } from './room'
import { type RowId, selectedEnds, selectedText, usePins } from './selection'
import { useView } from './useView'

const BESIDE = 8 // rows drawn above and below those on screen
const MOST_ROWS = 118 // drawn at a time; with both ends of a selection never more than 120

interface LogLinesProps {
  feed: LogFeed
  isWrapped: boolean
  /** Marked in the lines. */
  query: string
  /** Numbers of the lines that match, for the marks at the scroll bar. */
  matches: readonly number[]
  /** The line that a link leads to. */
  line: number | undefined
  onLine: (n: number | undefined) => void
  onName: (run: string) => void
  label: string
  host: RefObject<HTMLDivElement | null>
}

/** The lines themselves: only those on screen are in the page, at places that are worked out. */
export function LogLines(props: LogLinesProps) {
  const { feed, isWrapped, query, matches, line, label, host } = props
  const zone = useZone()
  const version = useSyncExternalStore(feed.subscribe, () => feed.version)
  const box = useRef<HTMLDivElement>(null)
  const size = useSize(box)
  const room = roomOf(size.width, size.character, feed.window.longestName)
  const view = useView(feed, box, size.height, line)
  const pins = usePins(box)

  useLayoutEffect(() => {
    feed.wrapAt(isWrapped ? room.columns : 0)
  }, [feed, isWrapped, room.columns])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the version stands for what the feed holds
  useLayoutEffect(view.settle, [version, size.height, line])

  const [first, last] = shownRows(feed, view.map.top, size.height)
  // Asked for anew: what was drawn may have been put elsewhere since.
  useEffect(() => feed.show(...shownRows(feed, view.map.top, size.height)))

  const width = isWrapped ? undefined : `calc(${room.before + 24}px + ${feed.window.longestLine}ch)`
  const copy = (event: React.ClipboardEvent) => {
    const ends = box.current && selectedEnds(box.current)
    if (!ends) return
    event.preventDefault()
    event.clipboardData.setData('text/plain', selectedText(feed.window, ends, zone))
  }
  const press = (event: React.MouseEvent) => pressed(event, feed, props)
  const keys = (event: React.KeyboardEvent) => keyed(event, feed, props, view.toEnd, view.toStart)
  return (
    <div className={styles.host} data-room={room.name} ref={host}>
      <div
        ref={box}
        className={styles.box}
        role="region"
        aria-label={label}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling box needs the focus to be scrolled by keys
        tabIndex={0}
        onScroll={view.scrolled}
        onCopy={copy}
        onClick={press}
        onKeyDown={keys}
        style={{ '--head-width': `${room.head}ch`, '--number-width': `${room.number}px` } as React.CSSProperties}
      >
        <span className={styles.probe} data-probe aria-hidden="true">
          {'0'.repeat(100)}
        </span>
        <div className={styles.spacer} style={{ height: view.map.boxHeight, width }}>
          {rowsToDraw(feed, first, last, pins).map(({ n, sub, index, row: place }) => {
            const top = view.map.inBox(place * ROW)
            const entry = feed.window.entries[index]
            const row = entry && feed.window.rows(entry)[sub]
            if (!entry || !row) return <div key={`${n}:${sub}`} className={styles.row} style={{ top }} />
            return (
              <LogRow
                key={`${n}:${sub}`}
                entry={entry}
                row={row}
                sub={sub}
                top={top}
                zone={zone}
                query={query}
                isTarget={n === line}
                isOpen={feed.window.isOpen(entry)}
                isFoldable={sub === 0 && feed.window.isFoldable(entry)}
              />
            )
          })}
        </div>
      </div>
      {feed.isNumbered && matches.length > 0 && <Ticks matches={matches} count={feed.lastNumber} />}
      {!view.isAtEnd && feed.phase === 'ready' && (
        <Button className={styles.float} size="small" onClick={view.toEnd} data-jump>
          {view.newer > 0 ? `${formatCount(view.newer)} new · jump to end` : 'Jump to end'}
        </Button>
      )}
    </div>
  )
}

/** The first row to draw, and the one after the last. */
function shownRows(feed: LogFeed, top: number, height: number): [number, number] {
  const first = Math.max(0, Math.floor(top / ROW) - BESIDE)
  return [first, Math.min(feed.rowCount, first + Math.min(MOST_ROWS, Math.ceil(height / ROW) + 2 * BESIDE))]
}

/** Rows that are in the page, in order: those on screen, and those that hold an end of the selection. */
function rowsToDraw(feed: LogFeed, first: number, last: number, pins: RowId[]) {
  const drawn: { n: number; sub: number; index: number; row: number }[] = []
  const { window, rowsBefore } = feed
  for (let row = first; row < last; row++) {
    const { n, sub } = feed.lineAt(row)
    const index = window.indexOf(n)
    drawn.push({ n, sub, index: window.entries[index]?.n === n ? index : -1, row })
  }
  for (const { n, sub } of pins) {
    const index = window.indexOf(n)
    if (window.entries[index]?.n !== n) continue
    const row = rowsBefore + window.topOf(index) + sub
    if (row < first || row >= last) drawn.push({ n, sub, index, row })
  }
  return drawn.sort((a, b) => a.row - b.row)
}

function pressed(event: React.MouseEvent, feed: LogFeed, { line, onLine, onName }: LogLinesProps) {
  const element = event.target as HTMLElement
  const n = Number(element.closest<HTMLElement>('[data-n]')?.dataset.n)
  if (element.closest('[data-fold]')) feed.toggle(n)
  else if (element.closest('[data-permalink]')) onLine(n === line ? undefined : n)
  else if (element.closest('[data-name]') && document.getSelection()?.isCollapsed !== false) {
    const entry = feed.window.entries[feed.window.indexOf(n)]
    if (entry) onName(entry.run)
  }
}

/** What the keyboard does in the log, beside what it does in any scrolling box. */
function keyed(
  event: React.KeyboardEvent,
  feed: LogFeed,
  { line, onLine }: LogLinesProps,
  toEnd: () => void,
  toStart: () => void,
) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target !== event.currentTarget) return
  const { entries } = feed.window
  const index = line === undefined ? -1 : feed.window.indexOf(line)
  if (event.key === 'End') toEnd()
  else if (event.key === 'Home') toStart()
  else if (event.key === 'j' && entries.length) onLine(entries[Math.min(index + 1, entries.length - 1)]!.n)
  else if (event.key === 'k' && entries.length)
    onLine(entries[Math.max(index < 0 ? entries.length - 1 : index - 1, 0)]!.n)
  else if (event.key === 'Enter' && line !== undefined) feed.toggle(line)
  else return
  event.preventDefault()
  event.stopPropagation()
}

/** Where the matches are in the whole log: one path, however many there are. */
function Ticks({ matches, count }: { matches: readonly number[]; count: number }) {
  const path = matches.map((n) => `M0 ${((1000 * (n - 0.5)) / Math.max(1, count)).toFixed(1)}h8`).join('')
  return (
    <svg className={styles.ticks} viewBox="0 0 8 1000" preserveAspectRatio="none" aria-hidden="true">
      <path d={path} stroke="currentColor" strokeWidth="2" vectorEffect="non-scaling-stroke" />
    </svg>
  )
}
