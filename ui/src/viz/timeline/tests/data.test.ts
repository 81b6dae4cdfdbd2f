import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decodeFrame, MAX_OPEN, TimelineData } from '../data'
import { BASE, dataOf, encodeFrame } from './sample'

const ROWS = [
  { seq: 3, name: 'extract', created: 0, start: 500, end: 2_000_000 },
  { seq: 5, name: 'transform', created: 100, start: 2_000_100, index: 7, state: 'running', attempts: 2 },
  { seq: 9, name: 'nightly', kind: 'flow' as const, created: 200, state: 'scheduled', attempts: 0 },
]

describe('decodeFrame', () => {
  it('reads every column where the server put it', () => {
    const frame = decodeFrame(encodeFrame(ROWS, { now: BASE + 7 }))
    expect(frame).toMatchObject({ count: 3, base: BASE, now: BASE + 7, maxSeq: 9 })
    expect(frame.groups).toEqual([
      { kind: 'task', name: 'extract' },
      { kind: 'task', name: 'transform' },
      { kind: 'flow', name: 'nightly' },
    ])
    const { columns } = frame
    expect([...columns.seq]).toEqual([3, 5, 9])
    expect([...columns.start]).toEqual([500, 2_000_100, Number.NaN])
    expect([...columns.end]).toEqual([2_000_000, Number.NaN, Number.NaN])
    expect([...columns.created]).toEqual([0, 100, 200])
    expect([...columns.index]).toEqual([-1, 7, -1])
    expect([...columns.group]).toEqual([0, 1, 2])
    expect([...columns.state]).toEqual([5, 2, 0])
    expect([...columns.kind]).toEqual([0, 0, 1])
    expect([...columns.attempts]).toEqual([1, 2, 0])
  })

  it('reads no rows', () => {
    expect(decodeFrame(encodeFrame([]))).toMatchObject({ count: 0, groups: [] })
  })

  it('says what is wrong with other bytes', () => {
    const whole = encodeFrame(ROWS)
    expect(() => decodeFrame(whole.slice(0, whole.byteLength - 1))).toThrow('cut short')
    expect(() => decodeFrame(whole.slice(0, 6))).toThrow('cut short')
    expect(() => decodeFrame(new TextEncoder().encode('{"error": {}}').buffer)).toThrow('does not know')
  })

  // Written by the server's tests: both sides read and write the same bytes.
  const golden = resolve('../tests/golden/timeline.bin')
  it.skipIf(!existsSync(golden))('reads the frame that the server wrote', () => {
    const bytes = readFileSync(golden)
    const frame = decodeFrame(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer)
    expect(frame.count).toBeGreaterThan(0)
    const { columns } = frame
    for (let row = 0; row < frame.count; row++) {
      if (row > 0) expect(columns.seq[row]!).toBeGreaterThan(columns.seq[row - 1]!)
      expect(frame.groups[columns.group[row]!]!.kind).toBe(columns.kind[row] === 1 ? 'flow' : 'task')
      expect(columns.state[row]!).toBeLessThan(10)
      if (!Number.isNaN(columns.end[row]!) && !Number.isNaN(columns.start[row]!)) {
        expect(columns.end[row]!).toBeGreaterThanOrEqual(columns.start[row]!)
      }
    }
  })
})

describe('TimelineData', () => {
  it('adds new rows and replaces known ones', () => {
    const data = dataOf(ROWS)
    data.apply(
      decodeFrame(
        encodeFrame([
          { seq: 5, name: 'transform', start: 2_000_100, end: 3_000_000, index: 7, state: 'failed', attempts: 3 },
          { seq: 11, name: 'publish', start: 3_000_100, state: 'running' },
        ]),
      ),
    )
    expect(data.count).toBe(4)
    expect(data.maxSeq).toBe(11)
    expect(data.columns.end[data.rowOf(5)]).toBe(3_000_000)
    expect(data.columns.attempts[data.rowOf(5)]).toBe(3)
    expect(data.label(data.rowOf(5))).toBe('transform[7]')
    expect(data.label(data.rowOf(11))).toBe('publish')
    expect(data.rowOf(4)).toBe(-1)
    expect(data.groups.map(({ name }) => name)).toEqual(['extract', 'transform', 'nightly', 'publish'])
  })

  it('keeps its own base when a frame has another', () => {
    const data = dataOf(ROWS)
    data.apply(
      decodeFrame(encodeFrame([{ seq: 12, name: 'late', start: 5, end: 10, created: 1 }], { base: BASE + 1_000 })),
    )
    const row = data.rowOf(12)
    expect([data.columns.created[row], data.columns.start[row], data.columns.end[row]]).toEqual([1_001, 1_005, 1_010])
  })

  it('puts a row that comes late where its number belongs', () => {
    const data = dataOf(ROWS)
    data.apply(decodeFrame(encodeFrame([{ seq: 4, name: 'between', start: 1, end: 2 }])))
    expect([...data.columns.seq.subarray(0, data.count)]).toEqual([3, 4, 5, 9])
    expect(data.label(data.rowOf(4))).toBe('between')
    expect(data.label(data.rowOf(5))).toBe('transform[7]')
  })

  it('asks for open rows by number, and for everything from the lowest on when they are many', () => {
    expect(dataOf(ROWS).next()).toEqual({ after: 9, open: [5, 9] })
    const many = Array.from({ length: MAX_OPEN + 1 }, (_, at) => ({
      seq: 100 + at,
      name: 'x',
      start: at,
      state: 'running',
    }))
    expect(dataOf(many).next()).toEqual({ after: 99, open: [] })
  })

  it('tells its listeners after each frame', () => {
    const data = new TimelineData()
    const versions: number[] = []
    const end = data.subscribe(() => versions.push(data.version))
    data.apply(decodeFrame(encodeFrame(ROWS)))
    data.apply(decodeFrame(encodeFrame([])))
    end()
    data.apply(decodeFrame(encodeFrame([])))
    expect(versions).toEqual([1, 2])
  })
})
