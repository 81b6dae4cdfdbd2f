import { useEffect, useState, useSyncExternalStore } from 'react'
import { useSettings } from './settings'

/** A moment: RFC 3339 text, or microseconds since 1970. */
export type Moment = string | number

/** U+202F: between a number and its unit, and between groups of digits. */
const THIN = '\u202f'

/** Milliseconds since 1970. */
export function toMillis(at: Moment): number {
  return typeof at === 'number' ? at / 1000 : Date.parse(at)
}

/** The IANA name of the zone in which this page shows times. */
export function useZone(): string {
  const { zone } = useSettings()
  return zone === 'browser' ? browserZone() : zone
}

/** The zone of this browser. */
export function browserZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone
}

// Making a formatter costs 50 times what using it does.
const formatters = new Map<string, Intl.DateTimeFormat>()

function formatter(zone: string): Intl.DateTimeFormat {
  let found = formatters.get(zone)
  if (!found) {
    const all = {
      year: 'numeric',
      month: 'short',
      day: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    } as const
    found = new Intl.DateTimeFormat('en-GB', { ...all, hourCycle: 'h23', timeZone: zone, timeZoneName: 'shortOffset' })
    formatters.set(zone, found)
  }
  return found
}

type Parts = Record<'year' | 'month' | 'day' | 'hour' | 'minute' | 'second' | 'timeZoneName', string>

function partsOf(millis: number, zone: string): Parts {
  const parts = {} as Parts
  for (const { type, value } of formatter(zone).formatToParts(millis)) {
    if (type !== 'literal') parts[type as keyof Parts] = value
  }
  return parts
}

/** How a moment is written. `date` 'auto': only when it is not today. */
export interface TimeStyle {
  seconds?: boolean
  millis?: boolean
  date?: boolean | 'auto'
}

/** Write a moment in a zone: `10:02:11`, or `24 Nov 10:02:11`, with the year when it is not this one. */
export function formatTime(at: Moment, zone: string, style: TimeStyle = {}): string {
  const { seconds = true, millis = false, date = 'auto' } = style
  const instant = toMillis(at)
  if (Number.isNaN(instant)) return '–'
  const parts = partsOf(instant, zone)
  let text = `${parts.hour}:${parts.minute}`
  if (seconds || millis) text += `:${parts.second}`
  if (millis) text += `.${String(Math.floor(((instant % 1000) + 1000) % 1000)).padStart(3, '0')}`
  if (date === false) return text
  const today = partsOf(Date.now(), zone)
  const isToday = today.day === parts.day && today.month === parts.month && today.year === parts.year
  if (date === 'auto' && isToday) return text
  const year = today.year === parts.year ? '' : ` ${parts.year}`
  return `${parts.day} ${parts.month}${year} ${text}`
}

/** Name the zone's offset at a moment: `UTC`, `UTC+1`, `UTC+5:30`. */
export function zoneLabel(at: Moment, zone: string): string {
  const label = partsOf(toMillis(at), zone).timeZoneName.replace('GMT', 'UTC')
  return label === 'UTC+0' ? 'UTC' : label
}

/** The moment (in ms) of a wall-clock time in a zone. A time that a clock change skips means the one as far after it. */
export function fromWallClock(wall: Date, zone: string): number {
  // `wall` carries the wall clock in its UTC fields. The offset depends on the answer, so it is looked up twice.
  const asUtc = wall.getTime()
  const first = asUtc - offsetOf(asUtc, zone)
  return asUtc - offsetOf(first, zone)
}

function offsetOf(millis: number, zone: string): number {
  const parts = partsOf(millis, zone)
  const month = 'JanFebMarAprMayJunJulAugSepOctNovDec'.indexOf(parts.month.slice(0, 3)) / 3
  const wall = Date.UTC(+parts.year, month, +parts.day, +parts.hour, +parts.minute, +parts.second)
  return wall - Math.floor(millis / 1000) * 1000
}

/** Write a length of time: `0.4 ms`, `420 ms`, `12.4 s`, `14m 03s`, `2h 04m`, `3d 04h`. */
export function formatDuration(seconds: number | null | undefined): string {
  if (seconds == null || Number.isNaN(seconds)) return '–'
  if (seconds < 0) return `0${THIN}s`
  if (seconds < 0.00995) return `${(seconds * 1000).toFixed(1)}${THIN}ms`
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)}${THIN}ms`
  if (seconds < 59.95) return `${seconds.toFixed(1)}${THIN}s`
  const whole = Math.round(seconds)
  const two = (value: number) => String(value).padStart(2, '0')
  if (whole < 3600) return `${Math.floor(whole / 60)}m${THIN}${two(whole % 60)}s`
  const minutes = Math.floor(whole / 60)
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h${THIN}${two(minutes % 60)}m`
  const hours = Math.floor(minutes / 60)
  return `${Math.floor(hours / 24)}d${THIN}${two(hours % 24)}h`
}

/** Write how long something has been going on, without the fractions that would only flicker. */
export function formatElapsed(seconds: number): string {
  return seconds < 59.95 ? `${Math.max(0, Math.floor(seconds))}${THIN}s` : formatDuration(Math.floor(seconds))
}

/** Write how long ago: `just now`, `3 s ago`, `5 min ago`, `in 2 h`. */
export function formatRelative(at: Moment, now: number = Date.now()): string {
  const seconds = (now - toMillis(at)) / 1000
  const size = Math.abs(seconds)
  if (size < 1) return 'just now'
  const steps: [number, number, string][] = [
    [60, 1, 's'],
    [3600, 60, 'min'],
    [86400, 3600, 'h'],
    [Number.POSITIVE_INFINITY, 86400, size < 2 * 86400 ? 'day' : 'days'],
  ]
  const [, unit, word] = steps.find(([below]) => size < below)!
  const text = `${Math.floor(size / unit)}${THIN}${word}`
  return seconds < 0 ? `in ${text}` : `${text} ago`
}

/** Write a count with thin spaces: `98 412`. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, THIN)
}

/** Write a size: `312 B`, `4.2 kB`, `1.7 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)}${THIN}${units[unit]}`
}

/** The present in ms, renewed every so often while active and visible. */
export function useNow(intervalMs: number, isActive = true): number {
  const [now, setNow] = useState(Date.now)
  const isVisible = useVisible()
  useEffect(() => {
    if (!isActive || !isVisible) return
    setNow(Date.now())
    const timer = setInterval(() => setNow(Date.now()), intervalMs)
    return () => clearInterval(timer)
  }, [intervalMs, isActive, isVisible])
  return now
}

function useVisible(): boolean {
  return useSyncExternalStore(watchVisible, isShown)
}

function watchVisible(listener: () => void): () => void {
  document.addEventListener('visibilitychange', listener)
  return () => document.removeEventListener('visibilitychange', listener)
}

function isShown(): boolean {
  return document.visibilityState === 'visible'
}
