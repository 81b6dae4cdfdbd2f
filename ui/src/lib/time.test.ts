import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatElapsed,
  formatRelative,
  formatTime,
  fromWallClock,
  zoneLabel,
} from './time'

const plain = (text: string) => text.replaceAll('\u202f', ' ')
const wall = (text: string) => new Date(`${text}Z`)
const iso = (ms: number) => new Date(ms).toISOString()

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-11-24T12:00:00Z') })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('formatTime', () => {
  it('leaves out the date of today, in the zone', () => {
    expect(formatTime('2026-11-24T10:02:11.123456Z', 'UTC')).toBe('10:02:11')
    expect(formatTime('2026-11-24T10:02:11.123456Z', 'Europe/Berlin')).toBe('11:02:11')
    expect(formatTime('2026-11-23T23:30:00Z', 'Europe/Berlin')).toBe('00:30:00')
    expect(formatTime('2026-11-23T23:30:00Z', 'UTC')).toBe('23 Nov 23:30:00')
  })

  it('writes the year when it is another one, and the parts that are asked for', () => {
    expect(formatTime('2025-09-02T03:04:05Z', 'UTC')).toMatch(/^2 Sept? 2025 03:04:05$/)
    expect(formatTime('2026-11-24T00:00:00.007Z', 'UTC', { millis: true })).toBe('00:00:00.007')
    expect(formatTime('2026-11-24T09:08:07Z', 'UTC', { seconds: false, date: true })).toBe('24 Nov 09:08')
  })

  it('takes microseconds', () => {
    expect(formatTime(Date.parse('2026-11-24T10:02:11Z') * 1000, 'UTC')).toBe('10:02:11')
  })

  it('writes midnight as 00, and nothing for what is no time', () => {
    expect(formatTime('2026-11-24T00:00:00Z', 'UTC')).toBe('00:00:00')
    expect(formatTime('nonsense', 'UTC')).toBe('–')
  })
})

describe('zones', () => {
  it('names the offset that holds at that moment', () => {
    expect(zoneLabel('2026-11-24T12:00:00Z', 'Europe/Berlin')).toBe('UTC+1')
    expect(zoneLabel('2026-07-01T12:00:00Z', 'Europe/Berlin')).toBe('UTC+2')
    expect(zoneLabel('2026-07-01T12:00:00Z', 'Asia/Kolkata')).toBe('UTC+5:30')
    expect(zoneLabel('2026-07-01T12:00:00Z', 'UTC')).toBe('UTC')
  })

  it('finds the moment of a wall clock, before and after each change', () => {
    expect(iso(fromWallClock(wall('2026-03-29T01:59:59'), 'Europe/Berlin'))).toBe('2026-03-29T00:59:59.000Z')
    expect(iso(fromWallClock(wall('2026-03-29T03:00:00'), 'Europe/Berlin'))).toBe('2026-03-29T01:00:00.000Z')
    expect(iso(fromWallClock(wall('2026-10-25T03:00:00'), 'Europe/Berlin'))).toBe('2026-10-25T02:00:00.000Z')
    expect(iso(fromWallClock(wall('2026-11-24T00:00:00'), 'Pacific/Auckland'))).toBe('2026-11-23T11:00:00.000Z')
    expect(iso(fromWallClock(wall('2026-09-10T00:00:00'), 'America/New_York'))).toBe('2026-09-10T04:00:00.000Z')
  })

  it('leads every wall clock that exists back to a moment with that wall clock', () => {
    for (const zone of ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC']) {
      const clock = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium', timeZone: zone })
      // Two days around each day on which some clock of these zones changes.
      for (const day of ['03-08', '03-29', '04-05', '10-04', '10-25', '11-01']) {
        for (let half = -96; half < 96; half += 1) {
          const shown = clock.format(Date.parse(`2026-${day}T00:00Z`) + half * 1_800_000)
          expect(clock.format(fromWallClock(wall(shown.replace(' ', 'T')), zone)), zone).toBe(shown)
        }
      }
    }
  })
})

describe('lengths and counts', () => {
  it('writes durations', () => {
    const written = [0, 0.0004, 0.0123, 0.9994, 0.9996, 12.44, 59.94, 59.96, 843, 3599.6, 7440, 86_399, 273_600]
    expect(written.map((seconds) => plain(formatDuration(seconds)))).toEqual([
      '0.0 ms',
      '0.4 ms',
      '12 ms',
      '999 ms',
      '1.0 s',
      '12.4 s',
      '59.9 s',
      '1m 00s',
      '14m 03s',
      '1h 00m',
      '2h 04m',
      '23h 59m',
      '3d 04h',
    ])
    expect(formatDuration(null)).toBe('–')
    expect(plain(formatElapsed(8.97))).toBe('8 s')
    expect(plain(formatElapsed(61.9))).toBe('1m 01s')
  })

  it('writes how long ago', () => {
    const now = Date.parse('2026-11-24T12:00:00Z')
    const ago = (ms: number) => plain(formatRelative((now - ms) * 1000, now))
    expect([ago(300), ago(3000), ago(61_000), ago(7.2e6), ago(8.7e7), ago(2e8), ago(-61_000)]).toEqual([
      'just now',
      '3 s ago',
      '1 min ago',
      '2 h ago',
      '1 day ago',
      '2 days ago',
      'in 1 min',
    ])
  })

  it('writes counts and sizes', () => {
    expect([7, 1000, 98_412, 1_000_000].map((count) => plain(formatCount(count)))).toEqual([
      '7',
      '1 000',
      '98 412',
      '1 000 000',
    ])
    expect([312, 4200, 999_600, 1.7e6, 2.5e8].map((bytes) => plain(formatBytes(bytes)))).toEqual([
      '312 B',
      '4.2 kB',
      '1.0 MB',
      '1.7 MB',
      '250 MB',
    ])
  })
})
