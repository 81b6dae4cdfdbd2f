import { describe, expect, it } from 'vitest'
import type { LogLine } from './lines'
import { LIMIT, ScrollMap } from './scroll'
import { LogWindow } from './window'

function line(n: number, message = `line ${n}`): LogLine {
  const at = '2026-11-24T10:00:00.000000Z'
  return { n, at, level: 'INFO', logger: 'run', message, run_id: 'r', run: 'clean-1', attempt: 1 }
}

const lines = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, place) => line(from + place))
const many = (count: number) => Array.from({ length: count }, (_, place) => `part ${place}`).join('\n')

describe('LogWindow', () => {
  it('knows the row of each line and the line of each row', () => {
    const window = new LogWindow()
    window.append([line(1), line(2, many(3)), line(3, 'a\nb'), line(4)])
    expect(window.rowCount).toBe(7)
    expect([0, 1, 3, 4, 6].map((row) => window.at(row))).toEqual([
      { index: 0, sub: 0 },
      { index: 1, sub: 0 },
      { index: 1, sub: 2 },
      { index: 2, sub: 0 },
      { index: 3, sub: 0 },
    ])
    expect([0, 1, 2, 3].map((index) => window.topOf(index))).toEqual([0, 1, 4, 6])
  })

  it('folds a long message to its first and last line, and unfolds it', () => {
    const window = new LogWindow()
    window.append([line(1), line(2, many(10)), line(3)])
    const [, long] = window.entries
    expect(window.rows(long!)).toEqual([
      { kind: 'text', part: 0, from: 0, to: 6, isLineStart: true, isCut: false },
      { kind: 'fold', lines: 8, characters: 0 },
      { kind: 'text', part: 9, from: 0, to: 6, isLineStart: true, isCut: false },
    ])
    expect(window.rowCount).toBe(5)
    window.toggle(2)
    expect([window.rowCount, window.rows(long!).length, window.topOf(2)]).toEqual([12, 10, 11])
    window.toggle(2)
    expect(window.rowCount).toBe(5)
  })

  it('wraps by columns, and folds what would fill the screen', () => {
    const window = new LogWindow()
    window.append([line(1, 'x'.repeat(95)), line(2, 'y'.repeat(1_000)), line(3, '日'.repeat(10))])
    window.wrapAt(10)
    const counts = window.entries.map((entry) => window.rows(entry).length)
    expect(counts).toEqual([10, 8, 2])
    expect(window.rowCount).toBe(20)
    expect(window.rows(window.entries[1]!)[6]).toEqual({ kind: 'fold', lines: 0, characters: 930 })
    window.toggle(2)
    expect(window.rowCount).toBe(112)
    window.wrapAt(0)
    expect(window.rowCount).toBe(3)
  })

  it('always has as many rows as its entries have', () => {
    const window = new LogWindow(300)
    for (let n = 1; n <= 500; n++) {
      window.append([line(n, n % 7 ? 'z'.repeat((n * 37) % 400) : many(n % 12))])
      if (n % 50 === 0) window.wrapAt((n * 13) % 90)
      if (n % 31 === 0) window.toggle(n)
    }
    const sum = window.entries.reduce((rows, entry) => rows + window.rows(entry).length, 0)
    expect(window.rowCount).toBe(sum)
    expect(window.entries.length).toBe(300)
  })

  it('is a ring: what is added at one end is dropped from the other', () => {
    const window = new LogWindow(100)
    expect(window.append(lines(1_001, 1_100))).toBe(0)
    expect(window.append(lines(1_101, 1_130))).toBe(30)
    expect([window.first!.n, window.last!.n, window.rowCount]).toEqual([1_031, 1_130, 100])
    expect(window.prepend(lines(1_011, 1_030))).toBe(20)
    expect([window.first!.n, window.last!.n, window.rowCount]).toEqual([1_011, 1_110, 100])
  })

  it('takes no line twice', () => {
    const window = new LogWindow()
    window.append(lines(5, 9))
    window.append(lines(7, 12))
    window.prepend(lines(3, 6))
    expect(window.entries.map((entry) => entry.n)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  })

  it('draws a line of a million characters as a cut row', () => {
    const window = new LogWindow()
    window.append([line(1, 'x'.repeat(1_000_000))])
    expect(window.rows(window.entries[0]!)).toEqual([
      { kind: 'text', part: 0, from: 0, to: 5_000, isLineStart: true, isCut: true },
    ])
  })
})

describe('ScrollMap', () => {
  it('is exact while the log is shorter than a browser can draw', () => {
    const map = new ScrollMap(100_000, 500)
    map.moved(4_321)
    expect([map.top, map.inBox(4_321), map.boxHeight]).toEqual([4_321, 4_321, 100_000])
    expect(map.goTo(1e9)).toBe(99_500)
  })

  it('moves a longer log by as much as the person scrolls, and leaps with the scroll bar', () => {
    const height = 18 * 5_000_000
    const map = new ScrollMap(height, 500)
    expect(map.boxHeight).toBe(LIMIT)
    const start = map.goTo(45_000_000)
    map.moved(start + 90)
    expect(map.top).toBe(45_000_090)
    // What is on screen stays where it is in the box while the view moves over it.
    expect(map.inBox(45_000_090)).toBe(start + 90)
    map.moved(LIMIT - 500)
    expect(map.top).toBe(height - 500)
    map.moved(0)
    expect(map.top).toBe(0)
    map.moved((LIMIT - 500) / 2)
    expect(map.top).toBeCloseTo((height - 500) / 2, -1)
  })
})
