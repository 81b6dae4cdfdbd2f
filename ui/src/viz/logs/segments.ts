/** What a row of the log is drawn from: pieces of text with their style, link and mark. */
import type { Span, Style } from './ansi'
import { pieces } from './links'

export interface Segment {
  text: string
  style: Style | null
  href: string | undefined
  isMatch: boolean
}

interface Range {
  from: number
  to: number
}

/** Cut the part of a line from one offset to another wherever style, link or mark changes. */
export function segmentsOf(text: string, from: number, to: number, spans: Span[] | null, query: string): Segment[] {
  const links = linksOf(text)
  const marks = query ? matchesIn(text, query, from, to) : []
  const styles = spans ? stylesOf(spans) : []
  if (!links.length && !marks.length && !styles.length) {
    return [{ text: text.slice(from, to), style: null, href: undefined, isMatch: false }]
  }
  const cuts = new Set([from, to])
  for (const { from: start, to: end } of [...links, ...marks, ...styles]) {
    if (start > from && start < to) cuts.add(start)
    if (end > from && end < to) cuts.add(end)
  }
  const sorted = [...cuts].sort((a, b) => a - b)
  return sorted.slice(0, -1).map((start, place) => ({
    text: text.slice(start, sorted[place + 1]),
    style: within(styles, start)?.style ?? null,
    href: within(links, start)?.href,
    isMatch: within(marks, start) !== undefined,
  }))
}

function within<T extends Range>(ranges: T[], place: number): T | undefined {
  return ranges.find((range) => range.from <= place && place < range.to)
}

function linksOf(text: string): (Range & { href: string })[] {
  const found: (Range & { href: string })[] = []
  let place = 0
  for (const piece of pieces(text)) {
    if (piece.href) found.push({ from: place, to: place + piece.text.length, href: piece.href })
    place += piece.text.length
  }
  return found
}

function stylesOf(spans: Span[]): (Range & { style: Style })[] {
  const found: (Range & { style: Style })[] = []
  let place = 0
  for (const span of spans) {
    if (span.style) found.push({ from: place, to: place + span.text.length, style: span.style })
    place += span.text.length
  }
  return found
}

/** Where a text is found, in capitals or not; only what lies between two offsets. */
function matchesIn(text: string, query: string, from: number, to: number): Range[] {
  const found: Range[] = []
  const where = text.toLowerCase()
  const what = query.toLowerCase()
  // Some letters change their length in lower case; then offsets would lie, and the line stays unmarked.
  if (where.length !== text.length) return found
  let place = where.indexOf(what, Math.max(0, from - what.length + 1))
  while (place >= 0 && place < to) {
    found.push({ from: place, to: place + what.length })
    place = where.indexOf(what, place + what.length)
  }
  return found
}
