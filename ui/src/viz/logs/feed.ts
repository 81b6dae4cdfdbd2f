/**
 * What the viewer has of a log, and how it gets more of it: the first page, earlier and later ones as the person
 * scrolls, the place a link leads to, and new lines as they are logged.
 *
 * Where a log is read whole, the number of a line is its place: the scroll bar then stands for all of it, loaded or not.
 * Where it is filtered, nobody knows how many lines there are, and the scroll bar stands for what has been loaded.
 */
import type { LogLine } from './lines'
import { CAPACITY, LogWindow } from './window'

export const PAGE = 1_000
const NEAR = 400 // rows beside the loaded ones at which the next page is asked for
const RETRY_MS = 3_000 // after a page could not be fetched
const FAR = 4_000 // and beyond which it is quicker to begin anew there

export interface Ask {
  after?: number
  before?: number
  tail?: number
  limit: number
}

export type Source = (ask: Ask, signal: AbortSignal) => Promise<LogLine[]>

let made = 0

export class LogFeed {
  /** Another one for each feed. */
  readonly id = ++made
  readonly window: LogWindow
  phase: 'loading' | 'ready' | 'failed' = 'loading'
  error: unknown = null
  hasBefore = false
  hasAfter = false
  /** Number of the last line that is known to exist. */
  lastNumber = 0
  /** Counts changes: what React watches. */
  version = 0

  private readonly watchers = new Set<() => void>()
  private aborter = new AbortController()
  private isLoading = false
  private isPolling = false
  private isChanged = false
  private wanted: number | 'end' | null = null
  private failedAt = 0

  constructor(
    private readonly source: Source,
    /** Whether a line's number is its place: the whole log of a root run. */
    readonly isNumbered: boolean,
    capacity = CAPACITY,
  ) {
    this.window = new LogWindow(capacity)
  }

  subscribe = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher)
    return () => this.watchers.delete(watcher)
  }

  /** Begin again after `close`: React mounts a component twice while it is developed. */
  revive(): void {
    if (!this.aborter.signal.aborted) return
    this.aborter = new AbortController()
    this.isLoading = false
    this.isPolling = false
  }

  close(): void {
    this.aborter.abort()
  }

  // ── places ─────────────────────────────────────────────────────────────────────────────────────────────────────────
  get rowsBefore(): number {
    if (!this.hasBefore) return 0
    return this.isNumbered ? Math.max(1, (this.window.first?.n ?? 1) - 1) : 1
  }

  get rowsAfter(): number {
    if (!this.hasAfter) return 0
    return this.isNumbered ? Math.max(1, this.lastNumber - (this.window.last?.n ?? 0)) : 1
  }

  get rowCount(): number {
    return this.rowsBefore + this.window.rowCount + this.rowsAfter
  }

  /** Which line a row belongs to, loaded or not, and how many rows below that line's first it is. */
  lineAt(row: number): { n: number; sub: number } {
    const { window, rowsBefore } = this
    const inside = row - rowsBefore
    if (!window.entries.length) return { n: row + 1, sub: 0 }
    if (inside < 0) return this.isNumbered ? { n: row + 1, sub: 0 } : { n: window.first!.n, sub: inside }
    if (inside < window.rowCount) {
      const { index, sub } = window.at(inside)
      return { n: window.entries[index]!.n, sub }
    }
    const beyond = inside - window.rowCount
    return this.isNumbered
      ? { n: window.last!.n + 1 + beyond, sub: 0 }
      : { n: window.last!.n, sub: inside - window.topOf(window.entries.length - 1) }
  }

  /** The first row of a line, loaded or not; of the next line there is, when there is none of that number. */
  rowOf(n: number): number {
    const { window, rowsBefore } = this
    if (!window.entries.length) return Math.max(0, n - 1)
    if (n < window.first!.n) return this.isNumbered && this.hasBefore ? Math.max(0, n - 1) : 0
    if (n > window.last!.n)
      return this.isNumbered ? rowsBefore + window.rowCount + n - window.last!.n - 1 : this.rowCount
    return rowsBefore + window.topOf(window.indexOf(n))
  }

  isLoaded(n: number): boolean {
    const { first, last } = this.window
    return first !== undefined && last !== undefined && n >= first.n && n <= last.n
  }

  // ── loading ────────────────────────────────────────────────────────────────────────────────────────────────────────
  /** Begin at the end, or around a line. */
  async open(at: number | 'end'): Promise<void> {
    if (this.isLoading) {
      this.wanted = at
      return
    }
    await this.load(async (ask) => {
      if (at === 'end') return this.openEnd(ask)
      const from = Math.max(0, at - PAGE / 2)
      const lines = await ask({ after: from, limit: PAGE })
      if (!lines.length && from > 0) return this.openEnd(ask)
      const [last] = lines.length === PAGE ? await ask({ tail: 1, limit: 1 }) : []
      this.restart(lines)
      this.lastNumber = Math.max(this.lastNumber, last?.n ?? 0)
      this.hasBefore = from > 0
      this.hasAfter = this.lastNumber > (this.window.last?.n ?? 0)
    })
  }

  private async openEnd(ask: (ask: Ask) => Promise<LogLine[]>): Promise<void> {
    const lines = await ask({ tail: PAGE, limit: PAGE })
    this.restart(lines)
    this.hasBefore = lines.length === PAGE && (!this.isNumbered || lines[0]!.n > 1)
    this.hasAfter = false
  }

  /** Say which rows are on screen, so that what is missing around them is loaded. */
  show(firstRow: number, lastRow: number): void {
    if (this.phase !== 'ready' || this.isLoading || Date.now() - this.failedAt < RETRY_MS) return
    const { rowsBefore } = this
    const end = rowsBefore + this.window.rowCount
    if (this.isNumbered && this.hasBefore && lastRow < rowsBefore - FAR) void this.open(this.lineAt(firstRow).n)
    else if (this.isNumbered && this.hasAfter && firstRow > end + FAR) void this.open(this.lineAt(lastRow).n)
    else if (this.hasBefore && firstRow < rowsBefore + NEAR) void this.extendBefore()
    else if (this.hasAfter && lastRow > end - NEAR) void this.extendAfter()
  }

  private async extendBefore(): Promise<void> {
    const first = this.window.first?.n
    if (first === undefined) return
    await this.load(async (ask) => {
      const from = Math.max(0, first - 1 - PAGE)
      const lines = this.isNumbered
        ? await ask({ after: from, limit: first - 1 - from })
        : await ask({ before: first, tail: PAGE, limit: PAGE })
      if (this.window.prepend(lines)) this.hasAfter = true
      this.hasBefore = this.isNumbered ? from > 0 : lines.length === PAGE
    })
  }

  private async extendAfter(): Promise<void> {
    const last = this.window.last?.n
    if (last === undefined) return
    await this.load(async (ask) => {
      const lines = await ask({ after: last, limit: PAGE })
      this.add(lines)
      this.hasAfter = lines.length === PAGE
    })
  }

  /** Something may have been logged: fetch it when the end is loaded, else only learn where the end is now. */
  async poll(): Promise<void> {
    this.isChanged = true
    if (this.isPolling || this.phase !== 'ready') return
    this.isPolling = true
    try {
      while (this.isChanged && !this.aborter.signal.aborted) {
        this.isChanged = false
        const wasAtEnd = !this.hasAfter
        const lines = await this.source(
          wasAtEnd ? { after: this.lastNumber, limit: PAGE } : { tail: 1, limit: 1 },
          this.aborter.signal,
        )
        if (!lines.length) continue
        if (wasAtEnd && !this.hasAfter) {
          this.add(lines)
          if (lines.length === PAGE) this.isChanged = true
        } else {
          this.lastNumber = Math.max(this.lastNumber, lines[lines.length - 1]!.n)
        }
        this.tell()
      }
    } catch (problem) {
      // What is shown stays; the next change asks again.
      if (!this.aborter.signal.aborted) this.error = problem
    } finally {
      this.isPolling = false
    }
  }

  toggle(n: number): void {
    this.window.toggle(n)
    this.tell()
  }

  wrapAt(columns: number): void {
    if (this.window.wrapAt(columns)) this.tell()
  }

  private add(lines: LogLine[]): void {
    if (this.window.append(lines)) this.hasBefore = true
    this.lastNumber = Math.max(this.lastNumber, this.window.last?.n ?? 0)
  }

  private restart(lines: LogLine[]): void {
    this.window.clear()
    this.add(lines)
  }

  private async load(work: (ask: (ask: Ask) => Promise<LogLine[]>) => Promise<void>): Promise<void> {
    this.isLoading = true
    try {
      await work(async (ask) => {
        const lines = await this.source(ask, this.aborter.signal)
        this.aborter.signal.throwIfAborted()
        return lines
      })
      this.phase = 'ready'
      this.error = null
    } catch (problem) {
      if (this.aborter.signal.aborted) return
      this.error = problem
      this.failedAt = Date.now()
      if (this.phase === 'loading') this.phase = 'failed'
    } finally {
      this.isLoading = false
    }
    this.tell()
    if (this.wanted !== null) {
      const at = this.wanted
      this.wanted = null
      void this.open(at)
    } else if (this.isChanged) void this.poll()
  }

  private tell(): void {
    this.version++
    for (const watcher of this.watchers) watcher()
  }
}
