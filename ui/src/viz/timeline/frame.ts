/** One answer of `GET /api/runs/{id}/timeline`: columns, little endian, that are read in place without copying. */

export interface Group {
  kind: string
  name: string
}

export interface Columns {
  /** The run's number in the database: the key of a row. */
  seq: Float64Array
  /** µs since `base`; NaN: not started. */
  start: Float64Array
  /** µs since `base`; NaN: not ended. */
  end: Float64Array
  /** µs since `base`. */
  created: Float64Array
  /** Its place in a map, −1: none. */
  index: Int32Array
  /** Into `groups`. */
  group: Uint16Array
  /** Into the list of states in `states.json`. */
  state: Uint8Array
  kind: Uint8Array
  attempts: Uint8Array
}

export interface Frame {
  count: number
  groups: Group[]
  /** µs since the epoch to which the columns are relative. */
  base: number
  /** The server's clock when it made the frame: µs since the epoch. */
  now: number
  maxSeq: number
  columns: Columns
}

/** The kind of a flow run; 0 is a task run. */
export const FLOW = 1

const MAGIC = 'TL01'
const HEAD_BYTES = 8
const BYTES_PER_ROW = 4 * 8 + 4 + 2 + 3

/**
 * Read one frame. The columns are views of `buffer`.
 *
 * Throws an `Error` that says what is wrong with the bytes.
 */
export function decodeFrame(buffer: ArrayBuffer): Frame {
  if (buffer.byteLength < HEAD_BYTES) throw new Error('The timeline came back cut short.')
  const head = new DataView(buffer)
  const magic = String.fromCharCode(head.getUint8(0), head.getUint8(1), head.getUint8(2), head.getUint8(3))
  if (magic !== MAGIC) throw new Error(`The timeline came back in a format this page does not know (${magic}).`)
  const headerBytes = head.getUint32(4, true)
  const first = HEAD_BYTES + headerBytes
  if (first > buffer.byteLength) throw new Error('The timeline came back cut short.')
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, HEAD_BYTES, headerBytes)))
  const count: number = header.n
  if (first % 8 !== 0 || buffer.byteLength < first + count * BYTES_PER_ROW) {
    throw new Error('The timeline came back cut short.')
  }
  let at = first
  const take = (bytes: number) => {
    const begin = at
    at += bytes * count
    return begin
  }
  return {
    count,
    groups: header.groups,
    base: header.base,
    now: header.now,
    maxSeq: header.max_seq,
    columns: {
      seq: new Float64Array(buffer, take(8), count),
      start: new Float64Array(buffer, take(8), count),
      end: new Float64Array(buffer, take(8), count),
      created: new Float64Array(buffer, take(8), count),
      index: new Int32Array(buffer, take(4), count),
      group: new Uint16Array(buffer, take(2), count),
      state: new Uint8Array(buffer, take(1), count),
      kind: new Uint8Array(buffer, take(1), count),
      attempts: new Uint8Array(buffer, take(1), count),
    },
  }
}
