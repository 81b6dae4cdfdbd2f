/** Frames as the server writes them, made from rows in the open. */

import { STATE_NAMES } from '@/lib/states'
import { decodeFrame, TimelineData } from '../data'
import type { Group } from '../frame'

export interface SampleRow {
  seq: number
  name: string
  kind?: 'task' | 'flow'
  state?: string
  /** µs since base; left out: not started. */
  start?: number
  /** µs since base; left out: not ended. */
  end?: number
  created?: number
  index?: number
  attempts?: number
}

/** 24 November 2026, 10:02:11 UTC. */
export const BASE = Date.UTC(2026, 10, 24, 10, 2, 11) * 1000

export function encodeFrame(
  rows: SampleRow[],
  { base = BASE, now = BASE + 60e6 }: { base?: number; now?: number } = {},
): ArrayBuffer {
  const groups: Group[] = []
  const groupOf = rows.map(({ name, kind = 'task' }) => {
    const known = groups.findIndex((group) => group.name === name && group.kind === kind)
    return known >= 0 ? known : groups.push({ kind, name }) - 1
  })
  const maxSeq = rows.reduce((most, row) => Math.max(most, row.seq), 0)
  const json = JSON.stringify({ n: rows.length, groups, base, now, max_seq: maxSeq })
  let header = new TextEncoder().encode(json)
  const padding = (8 - ((8 + header.length) % 8)) % 8
  header = new TextEncoder().encode(json + ' '.repeat(padding))
  const n = rows.length
  const buffer = new ArrayBuffer(8 + header.length + n * 41)
  const view = new DataView(buffer)
  new Uint8Array(buffer).set(new TextEncoder().encode('TL01'))
  view.setUint32(4, header.length, true)
  new Uint8Array(buffer).set(header, 8)
  let at = 8 + header.length
  const put = (bytes: number, write: (at: number, row: SampleRow, number: number) => void) => {
    rows.forEach((row, number) => {
      write(at, row, number)
      at += bytes
    })
  }
  put(8, (to, row) => view.setFloat64(to, row.seq, true))
  put(8, (to, row) => view.setFloat64(to, row.start ?? Number.NaN, true))
  put(8, (to, row) => view.setFloat64(to, row.end ?? Number.NaN, true))
  put(8, (to, row) => view.setFloat64(to, row.created ?? row.start ?? 0, true))
  put(4, (to, row) => view.setInt32(to, row.index ?? -1, true))
  put(2, (to, _, number) => view.setUint16(to, groupOf[number]!, true))
  put(1, (to, row) => view.setUint8(to, STATE_NAMES.indexOf(row.state ?? 'completed')))
  put(1, (to, row) => view.setUint8(to, row.kind === 'flow' ? 1 : 0))
  put(1, (to, row) => view.setUint8(to, row.attempts ?? 1))
  return buffer
}

export function dataOf(rows: SampleRow[], options?: { base?: number; now?: number }): TimelineData {
  const data = new TimelineData()
  data.apply(decodeFrame(encodeFrame(rows, options)))
  return data
}
