import { clsx } from 'clsx'
import { Fragment, memo } from 'react'
import { formatTime } from '@/lib/time'
import { isPlain, type Span, type Style, spansOf } from './ansi'
import styles from './LogLines.module.css'
import type { Entry, Severity } from './lines'
import { type Segment, segmentsOf } from './segments'
import type { Row } from './window'

export const ROW = 18

interface RowProps {
  entry: Entry
  row: Row
  sub: number
  top: number
  zone: string
  query: string
  isTarget: boolean
  isOpen: boolean
  isFoldable: boolean
}

/** One row of the log. Its text is exactly `textOfRow`, so that what is selected can be found again in the model. */
export const LogRow = memo(function LogRow(props: RowProps) {
  const { entry, row, sub, top, zone, query, isTarget, isOpen, isFoldable } = props
  return (
    <div
      className={clsx(styles.row, styles[entry.severity], isTarget && styles.target)}
      style={{ top }}
      data-n={entry.n}
      data-sub={sub}
    >
      <span className={styles.number} data-number={sub === 0 ? entry.n : undefined} data-permalink />
      <span className={styles.head} title={sub === 0 ? headTitle(entry) : undefined}>
        {sub === 0 && (
          <>
            <span className={styles.time}>{clockOf(entry, zone)} </span>
            <span className={styles.level}>{WORDS[entry.severity]} </span>
            <span className={styles.name} data-name>
              {entry.run}{' '}
            </span>
          </>
        )}
      </span>
      {row.kind === 'fold' ? (
        <button type="button" className={styles.fold} data-fold aria-expanded="false">
          {foldText(row)}
        </button>
      ) : (
        <span className={styles.message}>
          <Text entry={entry} row={row} query={query} />
          {row.isCut && (
            <span className={styles.cut}>
              {' '}
              … {entry.parts[row.part]!.length - row.to} more characters: wrap to read
            </span>
          )}
          {isFoldable && isOpen && sub === 0 && (
            <button type="button" className={styles.refold} data-fold aria-expanded="true" aria-label="Fold" />
          )}
        </span>
      )}
    </div>
  )
})

function Text({ entry, row, query }: { entry: Entry; row: Extract<Row, { kind: 'text' }>; query: string }) {
  const spans = isPlain(entry.message) ? null : (cachedSpans(entry)[row.part] ?? null)
  // Counted, so that equal pieces have keys of their own.
  let place = row.from
  return segmentsOf(entry.parts[row.part]!, row.from, row.to, spans, query).map((segment) => {
    const key = place
    place += segment.text.length
    const className = classOf(segment.style)
    if (segment.href) {
      return (
        <a key={key} className={className} href={segment.href} target="_blank" rel="noreferrer noopener">
          <Marked {...segment} />
        </a>
      )
    }
    return className || segment.isMatch ? (
      <span key={key} className={className}>
        <Marked {...segment} />
      </span>
    ) : (
      <Fragment key={key}>{segment.text}</Fragment>
    )
  })
}

function Marked({ text, isMatch }: Segment) {
  return isMatch ? <mark className={styles.match}>{text}</mark> : text
}

const spanCache = new WeakMap<Entry, Span[][]>()

function cachedSpans(entry: Entry): Span[][] {
  let spans = spanCache.get(entry)
  if (!spans) {
    spans = spansOf(entry.message)
    spanCache.set(entry, spans)
  }
  return spans
}

function classOf(style: Style | null): string | undefined {
  if (!style) return undefined
  return clsx(
    style.ink && styles[`ink-${style.ink}`],
    style.paper && styles[`paper-${style.paper}`],
    style.isBold && styles.bold,
    style.isDim && styles.dim,
    style.isItalic && styles.italic,
    style.isUnderlined && styles.underlined,
    style.isStruck && styles.struck,
    style.isInverse && styles.inverse,
  )
}

/** Five letters each, so that what follows stands in a column. */
const WORDS: Record<Severity, string> = {
  debug: 'DEBUG',
  info: 'INFO ',
  warning: 'WARN ',
  error: 'ERROR',
  critical: 'FATAL',
}

function clockOf(entry: Entry, zone: string): string {
  return formatTime(entry.at, zone, { millis: true, date: false })
}

function headTitle(entry: Entry): string {
  const logger = entry.logger === 'run' || entry.logger === 'print' ? '' : `\nlogger ${entry.logger}`
  const attempt = entry.attempt > 1 ? `\nattempt ${entry.attempt}` : ''
  return `${entry.at}\n${entry.level} · ${entry.run}${logger}${attempt}\nClick the name for its lines only`
}

function foldText(row: Extract<Row, { kind: 'fold' }>): string {
  if (row.lines) return `… ${row.lines} more ${row.lines === 1 ? 'line' : 'lines'}`
  return `… ${row.characters} more characters`
}

/** What a row says, from the time on. */
export function textOfRow(entry: Entry, row: Row, sub: number, zone: string): string {
  const head = sub === 0 ? `${clockOf(entry, zone)} ${WORDS[entry.severity]} ${entry.run} ` : ''
  if (row.kind === 'fold') return head + foldText(row)
  return head + entry.parts[row.part]!.slice(row.from, row.to)
}

/** A line as it is written into a file: complete, with the moment in full. */
export function textOfLine(entry: Pick<Entry, 'at' | 'level' | 'run' | 'parts'>): string {
  return `${entry.at} ${entry.level.padEnd(7)} ${entry.run} · ${entry.parts.join('\n    ')}`
}
