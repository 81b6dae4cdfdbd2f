import { describe, expect, it } from 'vitest'
import { type Feed, type FeedEvent, reduceFeed, SILENT } from './feed'

function play(events: FeedEvent[], from: Feed = SILENT): { feed: Feed; stale: string[][] } {
  let feed = from
  const stale: string[][] = []
  for (const event of events) {
    const [next, topics] = reduceFeed(feed, event)
    feed = next
    stale.push(topics)
  }
  return { feed, stale }
}

const welcome: FeedEvent = { type: 'welcome', serverId: 'a' }
const subscribed: FeedEvent = { type: 'subscribed', topics: ['runs', 'run:1'] }
const changed = (versions: Record<string, number>): FeedEvent => ({ type: 'changed', versions })

describe('reduceFeed', () => {
  it('takes the first version of a topic as a change, because nobody knows what came before', () => {
    const { stale } = play([welcome, subscribed, changed({ runs: 7, 'run:1': 0 })])
    expect(stale.at(-1)).toEqual(['runs', 'run:1'])
  })

  it('takes a gap as one change', () => {
    const { stale, feed } = play([welcome, subscribed, changed({ runs: 7 }), changed({ runs: 19 })])
    expect(stale.at(-1)).toEqual(['runs'])
    expect(feed.versions.get('runs')).toBe(19)
  })

  it('ignores what is told twice or comes late', () => {
    const { stale, feed } = play([
      welcome,
      subscribed,
      changed({ runs: 7 }),
      changed({ runs: 7 }),
      changed({ runs: 5 }),
    ])
    expect(stale.slice(-2)).toEqual([[], []])
    expect(feed.versions.get('runs')).toBe(7)
  })

  it('forgets all versions when another server process answers, even when its numbers are lower', () => {
    const before = play([welcome, subscribed, changed({ runs: 700 })]).feed
    const { stale } = play([{ type: 'welcome', serverId: 'b' }, subscribed, changed({ runs: 2 })], before)
    expect(stale.at(-1)).toEqual(['runs'])
  })

  it('looks again after a reconnect to the same process, which may have counted nothing meanwhile', () => {
    const before = play([welcome, subscribed, changed({ runs: 7 }), { type: 'lost' }]).feed
    expect(play([welcome, subscribed, changed({ runs: 7 })], before).stale.at(-1)).toEqual(['runs'])
  })

  it('forgets a topic that was unsubscribed and keeps the others', () => {
    const before = play([welcome, subscribed, changed({ runs: 7, 'run:1': 3 })]).feed
    const { stale } = play(
      [{ type: 'subscribed', topics: ['runs'] }, subscribed, changed({ runs: 7, 'run:1': 3 })],
      before,
    )
    expect(stale.at(-1)).toEqual(['run:1'])
  })

  it('changes nothing it was given', () => {
    const { feed } = play([welcome, subscribed, changed({ runs: 7 })])
    const kept = new Map(feed.versions)
    reduceFeed(feed, changed({ runs: 8 }))
    expect(feed.versions).toEqual(kept)
  })
})
