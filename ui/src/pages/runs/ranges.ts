import { fromWallClock } from '@/lib/time'

/** From `from` to before `to`, each of which may be missing. */
export interface Range {
  from?: number
  to?: number
  /** Whether the borders themselves belong to it: `>` and `<` leave them out. */
  isFromOpen?: boolean
  isToClosed?: boolean
}

const UNITS: Record<string, number> = { ms: 0.001, s: 1, m: 60, min: 60, h: 3600, d: 86_400, w: 604_800 }
const PART = /(\d+(?:\.\d+)?)\s*(ms|min|s|m|h|d|w)/g

/** Read a length of time in seconds: `90s`, `1h30m`, `1.5h`; undefined if it is none. */
export function parseSeconds(text: string): number | undefined {
  if (text === '0') return 0
  if (!new RegExp(`^(?:${PART.source})+$`).test(text)) return undefined
  let seconds = 0
  for (const [, amount, unit] of text.matchAll(PART)) seconds += Number(amount) * UNITS[unit!]!
  return seconds
}

/** Read `>10m`, `<=1h`, `10s..1m` in seconds; undefined if it is none of these. */
export function parseDuration(text: string): Range | undefined {
  const point = (part: string) => {
    const seconds = parseSeconds(part)
    return seconds === undefined ? undefined : { from: seconds, to: seconds }
  }
  const range = parseRange(text, point)
  // An exact length is never what somebody looks for, and would hardly ever be met.
  return range && /^[<>]|\.\./.test(text) ? range : undefined
}

/**
 * Read `>-24h`, `today`, `2026-11-24`, `<2026-11-24T10:00`, `2026-11-01..2026-11-15` in ms since 1970.
 *
 * A day or a minute is the whole of it, in the zone. Undefined if it is none of these.
 */
export function parseTimeRange(text: string, now: number, zone: string): Range | undefined {
  const range = parseRange(text, (part) => parseTime(part, now, zone))
  const isBareMoment = /^-/.test(text) && !text.includes('..')
  return isBareMoment ? undefined : range
}

type Span = { from: number; to: number }

function parseRange(text: string, read: (part: string) => Span | undefined): Range | undefined {
  const [first = '', last, ...more] = text.split('..')
  if (last !== undefined) {
    const from = read(first)
    const to = read(last)
    return from && to && more.length === 0 && from.from <= to.to
      ? { from: from.from, to: to.to, isToClosed: true }
      : undefined
  }
  const [, sign = '', rest = ''] = /^([<>]=?)?(.*)$/.exec(text)!
  const span = read(rest)
  if (!span) return undefined
  const { from, to } = span
  if (sign === '>') return from === to ? { from, isFromOpen: true } : { from: to }
  if (sign === '>=') return { from }
  if (sign === '<') return { to: from }
  if (sign === '<=') return { to, isToClosed: from === to }
  return { from, to }
}

function parseTime(text: string, now: number, zone: string): Span | undefined {
  if (text === 'now') return { from: now, to: now }
  if (text.startsWith('-')) {
    const seconds = parseSeconds(text.slice(1))
    return seconds === undefined ? undefined : { from: now - seconds * 1000, to: now - seconds * 1000 }
  }
  if (text === 'today') return day(now, 0, zone)
  if (text === 'yesterday') return day(now, -1, zone)
  const found = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d))?)?(Z)?$/.exec(text)
  if (!found) return undefined
  const [, year, month, date, hour, minute, second, utc] = found
  const wall = new Date(Date.UTC(+year!, +month! - 1, +date!, +(hour ?? 0), +(minute ?? 0), +(second ?? 0)))
  // JavaScript turns the 31st of June into the 1st of July.
  if (wall.getUTCMonth() !== +month! - 1 || wall.getUTCDate() !== +date! || +(hour ?? 0) > 23 || +(minute ?? 0) > 59)
    return undefined
  const place = utc ? 'UTC' : zone
  if (hour === undefined) return wholeDay(wall, place)
  const from = fromWallClock(wall, place)
  return { from, to: from + (second === undefined ? 60_000 : 1000) }
}

function day(now: number, offset: number, zone: string): Span {
  const parts = new Intl.DateTimeFormat('en-CA', { timeZone: zone }).format(now).split('-').map(Number)
  return wholeDay(new Date(Date.UTC(parts[0]!, parts[1]! - 1, parts[2]! + offset)), zone)
}

/** A day has 23 or 25 hours when the clock changes. */
function wholeDay(wall: Date, zone: string): Span {
  const next = new Date(wall)
  next.setUTCDate(next.getUTCDate() + 1)
  return { from: fromWallClock(wall, zone), to: fromWallClock(next, zone) }
}
