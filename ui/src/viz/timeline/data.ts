/** The rows of one run's timeline as a struct of arrays, kept up to date by frames. */

import { type Columns, decodeFrame, type Frame, type Group } from './frame'

export { decodeFrame, type Frame, type Group }

/** The server takes at most so many known rows to look at again; beyond it everything from the lowest on is asked for. */
export const MAX_OPEN = 500

function emptyColumns(capacity: number): Columns {
  return {
    seq: new Float64Array(capacity),
    start: new Float64Array(capacity),
    end: new Float64Array(capacity),
    created: new Float64Array(capacity),
    index: new Int32Array(capacity),
    group: new Uint16Array(capacity),
    state: new Uint8Array(capacity),
    kind: new Uint8Array(capacity),
    attempts: new Uint8Array(capacity),
  }
}

/**
 * Every task run and child flow run of one run, in order of `seq`.
 *
 * The object stays the same while rows are added and replaced: subscribe, and compare `version`.
 */
export class TimelineData {
  count = 0
  /** µs since the epoch to which all times are relative: that of the first frame. */
  base = 0
  /** The server's clock at the newest frame, µs since the epoch. */
  now = 0
  maxSeq = 0
  groups: Group[] = []
  columns: Columns = emptyColumns(0)
  /** Grows with every frame that was applied. */
  version = 0

  private readonly groupNumbers = new Map<string, number>()
  private readonly listeners = new Set<() => void>()

  /** Add the frame's new rows and replace the known ones. */
  apply(frame: Frame): void {
    if (this.version === 0) this.base = frame.base
    const groupOf = frame.groups.map((group) => this.groupNumber(group))
    const shift = frame.base - this.base
    const fresh: number[] = []
    for (let row = 0; row < frame.count; row++) {
      const known = this.rowOf(frame.columns.seq[row]!)
      if (known < 0) fresh.push(row)
      else this.copy(frame.columns, row, known, groupOf, shift)
    }
    this.reserve(this.count + fresh.length)
    let last = this.count > 0 ? this.columns.seq[this.count - 1]! : -1
    let isSorted = true
    for (const row of fresh) {
      const seq = frame.columns.seq[row]!
      isSorted &&= seq > last
      last = seq
      this.copy(frame.columns, row, this.count++, groupOf, shift)
    }
    // Rows come in order of seq. Should a late one ever be lower than those known, order is restored.
    if (!isSorted) this.sort()
    this.now = Math.max(this.now, frame.now)
    this.maxSeq = Math.max(this.maxSeq, frame.maxSeq)
    this.version++
    for (const listener of this.listeners) listener()
  }

  /** The row of a run's number, −1 if it is not here. Cost: a binary search. */
  rowOf(seq: number): number {
    const all = this.columns.seq
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (all[middle]! < seq) low = middle + 1
      else high = middle
    }
    return low < this.count && all[low] === seq ? low : -1
  }

  /** The numbers of all rows that have not ended. */
  openSeqs(): number[] {
    const open: number[] = []
    for (let row = 0; row < this.count; row++) {
      if (Number.isNaN(this.columns.end[row]!)) open.push(this.columns.seq[row]!)
    }
    return open
  }

  /** What to ask the server for next: rows after a number, and known rows that may have changed. */
  next(): { after: number; open: number[] } {
    const open = this.openSeqs()
    if (open.length <= MAX_OPEN) return { after: this.maxSeq, open }
    return { after: open[0]! - 1, open: [] }
  }

  /** `name`, `name[3]` for an item of a map. */
  label(row: number): string {
    const index = this.columns.index[row]!
    const name = this.groups[this.columns.group[row]!]!.name
    return index < 0 ? name : `${name}[${index}]`
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  private groupNumber(group: Group): number {
    const key = `${group.kind}\0${group.name}`
    let number = this.groupNumbers.get(key)
    if (number === undefined) {
      number = this.groups.length
      this.groups.push(group)
      this.groupNumbers.set(key, number)
    }
    return number
  }

  private copy(from: Columns, row: number, to: number, groupOf: number[], shift: number): void {
    const into = this.columns
    into.seq[to] = from.seq[row]!
    into.start[to] = from.start[row]! + shift
    into.end[to] = from.end[row]! + shift
    into.created[to] = from.created[row]! + shift
    into.index[to] = from.index[row]!
    into.group[to] = groupOf[from.group[row]!]!
    into.state[to] = from.state[row]!
    into.kind[to] = from.kind[row]!
    into.attempts[to] = from.attempts[row]!
  }

  private reserve(count: number): void {
    if (count <= this.columns.seq.length) return
    // Half as much again, so that a run that grows row by row copies each row a bounded number of times.
    const wider = emptyColumns(Math.max(count, Math.ceil(this.columns.seq.length * 1.5)))
    for (const name of Object.keys(wider) as (keyof Columns)[]) wider[name].set(this.columns[name])
    this.columns = wider
  }

  private sort(): void {
    const old = this.columns
    const order = Array.from({ length: this.count }, (_, row) => row).sort((a, b) => old.seq[a]! - old.seq[b]!)
    const sorted = emptyColumns(this.count)
    for (const name of Object.keys(sorted) as (keyof Columns)[]) {
      for (let row = 0; row < this.count; row++) sorted[name][row] = old[name][order[row]!]!
    }
    this.columns = sorted
  }
}
