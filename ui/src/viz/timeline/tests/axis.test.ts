import { describe, expect, it } from 'vitest'
import { dayLabel, stepFor, ticks, zoneOffset } from '../axis'

const at = (text: string) => Date.parse(text) * 1000
const labels = (from: string, to: string, most: number, zone: string) =>
  ticks(at(from), at(to), most, zone).map(({ label }) => label)

describe('ticks', () => {
  it('takes the smallest round step of which few enough fit', () => {
    expect(stepFor(60e6, 12)).toBe(5e6)
    expect(stepFor(61e6, 12)).toBe(10e6)
    expect(stepFor(900, 10)).toBe(100)
    expect(stepFor(86_400e6 * 3000, 10)).toBe(86_400e6 * 224)
  })

  it('writes as much of the time as the step needs', () => {
    expect(labels('2026-11-24T10:02:11Z', '2026-11-24T10:06:00Z', 4, 'UTC')).toEqual([
      '10:03',
      '10:04',
      '10:05',
      '10:06',
    ])
    expect(labels('2026-11-24T10:02:11Z', '2026-11-24T10:02:40Z', 3, 'UTC')).toEqual([
      '10:02:20',
      '10:02:30',
      '10:02:40',
    ])
    expect(labels('2026-11-24T10:02:11Z', '2026-11-24T10:02:11.2Z', 2, 'UTC')).toEqual([
      '10:02:11.000',
      '10:02:11.100',
      '10:02:11.200',
    ])
  })

  it('falls on round times of the zone, also of one a quarter of an hour aside', () => {
    expect(labels('2026-11-24T00:00:00Z', '2026-11-24T09:00:00Z', 4, 'Asia/Kathmandu')).toEqual([
      '06:00',
      '09:00',
      '12:00',
    ])
    expect(labels('2026-11-24T10:00:00Z', '2026-11-24T12:30:00Z', 3, 'Asia/Kolkata')).toEqual([
      '16:00',
      '17:00',
      '18:00',
    ])
  })

  it('writes the date where a day begins in the zone', () => {
    const found = ticks(at('2026-11-23T20:00:00Z'), at('2026-11-24T02:00:00Z'), 6, 'Europe/Berlin')
    expect(found.map(({ label }) => label)).toEqual(['21:00', '22:00', '23:00', '24 Nov', '01:00', '02:00', '03:00'])
    expect(found.filter(({ isDay }) => isDay).map((tick) => tick.at)).toEqual([at('2026-11-23T23:00:00Z')])
  })

  it('leaves out the hour that summer time skips', () => {
    // In Berlin on 29 March 2026 the clock went from 02:00 to 03:00.
    expect(labels('2026-03-29T00:00:00Z', '2026-03-29T03:00:00Z', 4, 'Europe/Berlin')).toEqual([
      '01:00',
      '03:00',
      '04:00',
      '05:00',
    ])
  })

  it('shows the hour twice that comes twice', () => {
    const found = ticks(at('2026-10-25T00:00:00Z'), at('2026-10-25T03:00:00Z'), 4, 'Europe/Berlin')
    expect(found.map(({ label }) => label)).toEqual(['02:00', '02:00', '03:00', '04:00'])
    expect(found.map((tick) => tick.at)).toEqual([0, 1, 2, 3].map((hour) => at('2026-10-25T00:00:00Z') + hour * 3600e6))
  })

  it('keeps days at midnight over both changes of a year', () => {
    const found = ticks(at('2026-01-01T00:00:00Z'), at('2026-12-31T00:00:00Z'), 30, 'America/New_York')
    for (const tick of found) {
      const clock = new Intl.DateTimeFormat('en-GB', { timeZone: 'America/New_York', timeStyle: 'medium' }).format(
        tick.at / 1000,
      )
      expect(clock).toBe('00:00:00')
    }
    expect(found.length).toBeGreaterThan(20)
  })
})

describe('zones', () => {
  it('knows offsets of all kinds', () => {
    const hours = (zone: string, when: string) => zoneOffset(at(when), zone) / 3600e6
    expect(hours('UTC', '2026-07-01T00:00:00Z')).toBe(0)
    expect(hours('Europe/Berlin', '2026-07-01T00:00:00Z')).toBe(2)
    expect(hours('America/St_Johns', '2026-01-01T00:00:00Z')).toBe(-3.5)
    expect(hours('Australia/Lord_Howe', '2026-01-01T00:00:00Z')).toBe(11)
    expect(hours('Australia/Lord_Howe', '2026-07-01T00:00:00Z')).toBe(10.5)
  })

  it('names the day of the zone', () => {
    expect(dayLabel(at('2026-11-23T23:30:00Z'), 'Europe/Berlin')).toBe('24 Nov 2026')
    expect(dayLabel(at('2026-11-23T23:30:00Z'), 'UTC')).toBe('23 Nov 2026')
  })
})
