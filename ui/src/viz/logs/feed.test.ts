import { describe, expect, it } from 'vitest'
import { type Ask, LogFeed, PAGE, type Source } from './feed'
import type { LogLine } from './lines'

/** A log that grows, and keeps what it was asked. */
class Log {
  lines: LogLine[] = []
  asked: Ask[] = []
  broken = false

  constructor(count: number, step = 1) {
    this.grow(count, step)
  }

  grow(count: number, step = 1): void {
    for (let each = 0; each < count; each++) {
      const n = (this.lines.at(-1)?.n ?? 0) + step
      const at = '2026-11-24T10:00:00.000000Z'
      this.lines.push({ n, at, level: 'INFO', logger: 'run', message: `line ${n}`, run_id: 'r', run: 'r', attempt: 1 })
    }
  }

  source: Source = async (ask) => {
    this.asked.push(ask)
    if (this.broken) throw new Error('no server')
    const { after = 0, before = Number.POSITIVE_INFINITY, tail, limit } = ask
    const found = this.lines.filter(({ n }) => n > after && n < before)
    return tail ? found.slice(-tail).slice(0, limit) : found.slice(0, limit)
  }
}

const numbers = (feed: LogFeed) => feed.window.entries.map(({ n }) => n)

/** Let what was begun come to its end. */
const rest = () => new Promise((resolve) => setTimeout(resolve, 0))

describe('LogFeed', () => {
  it('opens at the end, and its rows stand for the whole log', async () => {
    const feed = new LogFeed(new Log(100_000).source, true)
    await feed.open('end')
    expect([feed.window.first!.n, feed.window.last!.n]).toEqual([100_000 - PAGE + 1, 100_000])
    expect([feed.hasBefore, feed.hasAfter, feed.rowCount]).toEqual([true, false, 100_000])
    expect(feed.lineAt(0)).toEqual({ n: 1, sub: 0 })
    expect(feed.rowOf(99_999)).toBe(99_998)
  })

  it('leaps to where the person scrolled, and extends where it is near', async () => {
    const log = new Log(100_000)
    const feed = new LogFeed(log.source, true)
    await feed.open('end')
    feed.show(50_000, 50_040)
    await rest()
    expect(feed.isLoaded(50_001)).toBe(true)
    expect(feed.isLoaded(50_040)).toBe(true)
    expect([feed.hasBefore, feed.hasAfter, feed.rowCount]).toEqual([true, true, 100_000])
    expect(feed.lineAt(50_000)).toEqual({ n: 50_001, sub: 0 })
    const { n } = feed.window.first!
    feed.show(n - 1, n + 40)
    await rest()
    expect(feed.window.first!.n).toBe(n - PAGE)
    expect(numbers(feed)).toEqual(Array.from({ length: feed.window.entries.length }, (_, place) => n - PAGE + place))
  })

  it('opens around the line a link leads to, also near both ends', async () => {
    for (const n of [1, 2, 700, 2_500, 4_999, 5_000]) {
      const feed = new LogFeed(new Log(5_000).source, true)
      await feed.open(n)
      expect(feed.isLoaded(n)).toBe(true)
      expect(feed.lineAt(feed.rowOf(n))).toEqual({ n, sub: 0 })
      expect(feed.rowCount).toBe(5_000)
    }
  })

  it('shows the end when a link leads beyond it', async () => {
    const feed = new LogFeed(new Log(10).source, true)
    await feed.open(99_999)
    expect(numbers(feed)).toHaveLength(10)
  })

  it('appends what is logged while the end is there, and else only learns of it', async () => {
    const log = new Log(10)
    const feed = new LogFeed(log.source, true)
    await feed.open('end')
    log.grow(5)
    await feed.poll()
    expect(numbers(feed).at(-1)).toBe(15)
    log.grow(50_000)
    feed.show(0, 10)
    await feed.open(3)
    log.grow(7)
    await feed.poll()
    expect([feed.hasAfter, feed.lastNumber, feed.rowCount]).toEqual([true, 50_022, 50_022])
  })

  it('misses nothing that is logged while it asks, and asks once at a time', async () => {
    const log = new Log(10)
    let active = 0
    let most = 0
    const slow: Source = async (ask, signal) => {
      most = Math.max(most, ++active)
      const lines = await log.source(ask, signal)
      await rest()
      active--
      return lines
    }
    const feed = new LogFeed(slow, true)
    await feed.open('end')
    const first = feed.poll()
    log.grow(3)
    void feed.poll()
    void feed.poll()
    await first
    expect(numbers(feed)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])
    expect(most).toBe(1)
  })

  it('catches up with more than a page at once', async () => {
    const log = new Log(10)
    const feed = new LogFeed(log.source, true)
    await feed.open('end')
    log.grow(3 * PAGE)
    await feed.poll()
    expect(feed.window.last!.n).toBe(10 + 3 * PAGE)
    expect(numbers(feed)).toHaveLength(10 + 3 * PAGE)
  })

  it('keeps no more than its ring, and tells that there is more before', async () => {
    const log = new Log(500)
    const feed = new LogFeed(log.source, true, 600)
    await feed.open('end')
    expect(feed.hasBefore).toBe(false)
    log.grow(300)
    await feed.poll()
    expect([numbers(feed).length, feed.window.first!.n, feed.hasBefore, feed.rowCount]).toEqual([600, 201, true, 800])
  })

  it('reads a filtered log backwards, where numbers are no places', async () => {
    const log = new Log(3 * PAGE + 10, 7)
    const feed = new LogFeed(log.source, false)
    await feed.open('end')
    expect([feed.hasBefore, feed.rowsBefore, feed.rowCount]).toEqual([true, 1, PAGE + 1])
    for (let page = 0; page < 3; page++) {
      feed.show(0, 10)
      await rest()
    }
    expect(numbers(feed)).toEqual(log.lines.map(({ n }) => n))
    expect(feed.hasBefore).toBe(false)
  })

  it('says why when nothing can be read, and reads when asked again', async () => {
    const log = new Log(10)
    log.broken = true
    const feed = new LogFeed(log.source, true)
    await feed.open('end')
    expect([feed.phase, String(feed.error)]).toEqual(['failed', 'Error: no server'])
    log.broken = false
    await feed.open('end')
    expect([feed.phase, numbers(feed).length]).toEqual(['ready', 10])
  })

  it('keeps what it shows when the server goes away, and does not ask in a loop', async () => {
    const log = new Log(5_000)
    const feed = new LogFeed(log.source, true)
    await feed.open('end')
    feed.subscribe(() => feed.show(0, 40))
    log.broken = true
    const asked = log.asked.length
    feed.show(0, 40)
    await rest()
    await rest()
    expect([feed.phase, numbers(feed).length]).toEqual(['ready', PAGE])
    expect(log.asked.length).toBe(asked + 1)
  })

  it('goes to the newest place it was sent to while it was loading', async () => {
    const feed = new LogFeed(new Log(90_000).source, true)
    const first = feed.open('end')
    void feed.open(20_000)
    void feed.open(40_000)
    await first
    await rest()
    await rest()
    expect(feed.isLoaded(40_000)).toBe(true)
  })
})
