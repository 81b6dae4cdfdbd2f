/** Ticks of a time axis that fall on round times of a zone's wall clock, over its changes of summer time too. */

const MILLISECOND = 1000
const SECOND = 1000 * MILLISECOND
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const MULTIPLES: [unit: number, multiples: number[]][] = [
  [1, [1, 2, 5, 10, 20, 50, 100, 200, 500]],
  [MILLISECOND, [1, 2, 5, 10, 20, 50, 100, 200, 500]],
  [SECOND, [1, 2, 5, 10, 15, 30]],
  [MINUTE, [1, 2, 5, 10, 15, 30]],
  [HOUR, [1, 2, 3, 6, 12]],
  [DAY, [1, 2, 7, 14, 28, 56, 112, 224]],
]
const STEPS = MULTIPLES.flatMap(([unit, multiples]) => multiples.map((multiple) => multiple * unit))

export interface Tick {
  /** µs since the epoch. */
  at: number
  label: string
  /** The first moment of a day. */
  isDay: boolean
}

/** The smallest round step of which `most` fit into the span. */
export function stepFor(span: number, most: number): number {
  return STEPS.find((step) => span / step <= most) ?? STEPS.at(-1)!
}

/**
 * The ticks between two moments (µs since the epoch), at most about `most`.
 *
 * Cost: one look at the zone's offset for either end, some twenty more when it changes in between.
 */
export function ticks(from: number, to: number, most: number, zone: string): Tick[] {
  const step = stepFor(to - from, Math.max(1, most))
  const found: Tick[] = []
  for (const [begin, end, offset] of segments(from, to, zone)) {
    // `wall` counts as the clock on the wall does: what is round there is round for the reader.
    for (let wall = Math.ceil((begin + offset) / step) * step; wall - offset < end; wall += step) {
      found.push({ at: wall - offset, label: tickLabel(wall, step), isDay: wall % DAY === 0 })
    }
  }
  return found
}

/** Cut a span where the zone's offset changes: `[from, to, offset µs]`, `to` belongs to the next. */
function segments(from: number, to: number, zone: string): [number, number, number][] {
  const parts: [number, number, number][] = []
  // No zone changes its offset twice within a month, so a longer span is looked at month by month.
  const stride = 28 * DAY
  let begin = from
  let offset = zoneOffset(from, zone)
  for (let low = from; low < to; low += stride) {
    const high = Math.min(to, low + stride)
    const next = zoneOffset(high, zone)
    if (next === offset) continue
    const change = transition(low, high, offset, zone)
    parts.push([begin, change, offset])
    begin = change
    offset = next
  }
  parts.push([begin, to + 1, offset])
  return parts
}

/** The first whole minute at which the offset is no longer `before`. */
function transition(low: number, high: number, before: number, zone: string): number {
  let first = Math.floor(low / MINUTE)
  let last = Math.ceil(high / MINUTE)
  while (first < last) {
    const middle = Math.floor((first + last) / 2)
    if (zoneOffset(middle * MINUTE, zone) === before) first = middle + 1
    else last = middle
  }
  return first * MINUTE
}

const formats = new Map<string, Intl.DateTimeFormat>()
const offsets = new Map<string, number>()

/** How far the zone's clock is ahead of UTC at a moment, both in µs. Cost: 10 µs, less when asked again. */
export function zoneOffset(at: number, zone: string): number {
  // Offsets change on whole quarters of an hour only.
  const quarter = Math.floor(at / (15 * MINUTE))
  const key = `${zone} ${quarter}`
  let offset = offsets.get(key)
  if (offset === undefined) {
    if (offsets.size > 2000) offsets.clear()
    offset = readOffset((quarter * 15 * MINUTE) / 1000, zone)
    offsets.set(key, offset)
  }
  return offset
}

function readOffset(milliseconds: number, zone: string): number {
  let format = formats.get(zone)
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
    formats.set(zone, format)
  }
  const name = format.formatToParts(milliseconds).find((part) => part.type === 'timeZoneName')?.value ?? 'GMT'
  const match = /GMT([+-])(\d\d):(\d\d)/.exec(name)
  if (!match) return 0
  const minutes = Number(match[2]) * 60 + Number(match[3])
  return (match[1] === '-' ? -minutes : minutes) * MINUTE
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

function tickLabel(wall: number, step: number): string {
  const clock = new Date(Math.floor(wall / 1000))
  if (wall % DAY === 0) return `${clock.getUTCDate()} ${MONTHS[clock.getUTCMonth()]}`
  const text = clock.toISOString()
  if (step >= MINUTE) return text.slice(11, 16)
  if (step >= SECOND) return text.slice(11, 19)
  if (step >= MILLISECOND) return text.slice(11, 23)
  return `${text.slice(11, 23)}${String(((wall % 1000) + 1000) % 1000).padStart(3, '0')}`
}

/** `24 Nov 2026`: what the labels of the ticks leave out. */
export function dayLabel(at: number, zone: string): string {
  const clock = new Date(Math.floor((at + zoneOffset(at, zone)) / 1000))
  return `${clock.getUTCDate()} ${MONTHS[clock.getUTCMonth()]} ${clock.getUTCFullYear()}`
}
