/**
 * The lines that are in memory, and where each of their rows is.
 *
 * A *row* is 18 pixels of the page: one line of a message, or a piece of it where lines wrap. Messages of many lines are
 * folded to their first and last. Everything here is arithmetic over prefix sums, so that the scroll bar is exact and
 * nothing is ever measured in the page. At most `capacity` lines are kept: adding at one end drops from the other.
 */
import { type Entry, entryOf, type LogLine } from './lines'
import { breaks, rowsOf } from './wrap'

export const CAPACITY = 50_000
const UNFOLDED_PARTS = 3 // lines of a message that are shown without folding
const HEAD_ROWS = 6 // rows shown of a folded message's first line
const TAIL_ROWS = 3 // and of its last
const UNWRAPPED = 5_000 // characters of one row when lines do not wrap

/** One row: a piece of a message, or the button that unfolds what is hidden. */
export type Row =
  | { kind: 'text'; part: number; from: number; to: number; isLineStart: boolean; isCut: boolean }
  | { kind: 'fold'; lines: number; characters: number }

export class LogWindow {
  entries: Entry[] = []
  /** Columns that wrap lines; 0: lines do not wrap. */
  columns = 0
  /** Characters of the longest name of a run, and of the longest line, that was ever here. */
  longestName = 0
  longestLine = 0

  private tops = new Int32Array(1_024) // tops[i]: rows before entry i; one more than there are entries
  private readonly opened = new Set<number>()
  private rowCache = new WeakMap<Entry, Row[]>()

  constructor(readonly capacity = CAPACITY) {}

  get rowCount(): number {
    return this.tops[this.entries.length]!
  }

  get first(): Entry | undefined {
    return this.entries[0]
  }

  get last(): Entry | undefined {
    return this.entries[this.entries.length - 1]
  }

  clear(): void {
    this.entries = []
    this.rowCache = new WeakMap()
    this.tops[0] = 0
  }

  /** Add later lines; lines that are there already are left out. Returns how many were dropped from the beginning. */
  append(lines: LogLine[]): number {
    const last = this.last?.n ?? Number.NEGATIVE_INFINITY
    const begun = this.entries.length
    for (const line of lines) if (line.n > last) this.entries.push(this.read(line))
    const dropped = Math.max(0, this.entries.length - this.capacity)
    if (dropped) this.entries = this.entries.slice(dropped)
    this.measure(dropped ? 0 : begun)
    return dropped
  }

  /** Add earlier lines. Returns how many were dropped from the end. */
  prepend(lines: LogLine[]): number {
    const first = this.first?.n ?? Number.POSITIVE_INFINITY
    const earlier = lines.filter((line) => line.n < first).map((line) => this.read(line))
    const all = [...earlier, ...this.entries]
    const dropped = Math.max(0, all.length - this.capacity)
    this.entries = dropped ? all.slice(0, this.capacity) : all
    this.measure(0)
    return dropped
  }

  private read(line: LogLine): Entry {
    const entry = entryOf(line)
    this.longestName = Math.max(this.longestName, entry.run.length)
    for (const part of entry.parts) this.longestLine = Math.max(this.longestLine, Math.min(part.length, UNWRAPPED))
    return entry
  }

  /** Wrap at other columns. Returns whether that changed anything. */
  wrapAt(columns: number): boolean {
    if (columns === this.columns) return false
    this.columns = columns
    this.rowCache = new WeakMap()
    this.measure(0)
    return true
  }

  /** Unfold or fold the message of line `n`. */
  toggle(n: number): void {
    if (!this.opened.delete(n)) this.opened.add(n)
    const index = this.indexOf(n)
    if (this.entries[index]?.n !== n) return
    this.rowCache.delete(this.entries[index]!)
    this.measure(index)
  }

  isOpen(entry: Entry): boolean {
    return this.opened.has(entry.n)
  }

  /** Whether a message is one that folds, open or not. */
  isFoldable(entry: Entry): boolean {
    if (entry.parts.length > UNFOLDED_PARTS) return true
    if (this.columns === 0) return false
    return entry.parts.some((part) => rowsOf(part, this.columns) > HEAD_ROWS + TAIL_ROWS + 1)
  }

  /** Index of the first entry numbered `n` or later. */
  indexOf(n: number): number {
    let low = 0
    let high = this.entries.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.entries[middle]!.n < n) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Rows before an entry. */
  topOf(index: number): number {
    return this.tops[Math.min(Math.max(index, 0), this.entries.length)]!
  }

  /** Which entry a row belongs to, and which of its rows it is. */
  at(row: number): { index: number; sub: number } {
    let low = 0
    let high = this.entries.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.tops[middle]! <= row) low = middle
      else high = middle - 1
    }
    return { index: low, sub: Math.max(0, row - this.tops[low]!) }
  }

  /** The rows of an entry. */
  rows(entry: Entry): Row[] {
    const known = this.rowCache.get(entry)
    if (known) return known
    const rows = this.isFoldable(entry) && !this.isOpen(entry) ? this.folded(entry) : this.unfolded(entry)
    this.rowCache.set(entry, rows)
    return rows
  }

  private unfolded(entry: Entry): Row[] {
    return entry.parts.flatMap((_, part) => this.rowsOfPart(entry, part))
  }

  private folded(entry: Entry): Row[] {
    const lastPart = entry.parts.length - 1
    if (lastPart === 0) {
      const all = this.rowsOfPart(entry, 0)
      const tail = all.slice(-1)
      const head = all.slice(0, HEAD_ROWS)
      return [
        ...head,
        { kind: 'fold', lines: 0, characters: startOf(tail[0]!) - endOf(head[head.length - 1]!) },
        ...tail,
      ]
    }
    const head = this.rowsOfPart(entry, 0)
    const tail = this.rowsOfPart(entry, lastPart)
    const fold: Row = { kind: 'fold', lines: lastPart - 1, characters: 0 }
    return [...head.slice(0, HEAD_ROWS), fold, ...tail.slice(-TAIL_ROWS)]
  }

  private rowsOfPart(entry: Entry, part: number): Row[] {
    const text = entry.parts[part]!
    if (this.columns === 0) {
      const isCut = text.length > UNWRAPPED
      return [{ kind: 'text', part, from: 0, to: isCut ? UNWRAPPED : text.length, isLineStart: true, isCut }]
    }
    const starts = [0, ...breaks(text, this.columns)]
    return starts.map((from, place) => ({
      kind: 'text',
      part,
      from,
      to: starts[place + 1] ?? text.length,
      isLineStart: place === 0,
      isCut: false,
    }))
  }

  private countRows(entry: Entry): number {
    if (entry.parts.length === 1) {
      const count = rowsOf(entry.parts[0]!, this.columns)
      return count > HEAD_ROWS + TAIL_ROWS + 1 && !this.opened.has(entry.n) ? HEAD_ROWS + 2 : count
    }
    return this.rows(entry).length
  }

  /** Sum up again from an entry on. */
  private measure(from: number): void {
    const count = this.entries.length
    if (this.tops.length <= count) {
      const larger = new Int32Array(Math.max(count + 1, this.tops.length * 2))
      larger.set(this.tops)
      this.tops = larger
    }
    for (let index = from; index < count; index++) {
      this.tops[index + 1] = this.tops[index]! + this.countRows(this.entries[index]!)
    }
  }
}

function startOf(row: Row): number {
  return row.kind === 'text' ? row.from : 0
}

function endOf(row: Row): number {
  return row.kind === 'text' ? row.to : 0
}
