/**
 * What the tab knows about its topics, apart from any socket. A version counts only as long as its topic is
 * subscribed on one connection: in between nobody may have been counting, so the first version after each subscribe
 * always means "look again".
 */
export interface Feed {
  /** The server process that the versions belong to; null before the first welcome. */
  serverId: string | null
  versions: ReadonlyMap<string, number>
}

/** The feed before anything was heard. */
export const SILENT: Feed = { serverId: null, versions: new Map() }

/** What may happen to a feed. */
export type FeedEvent =
  | { type: 'welcome'; serverId: string }
  | { type: 'subscribed'; topics: readonly string[] }
  | { type: 'changed'; versions: Readonly<Record<string, number>> }
  | { type: 'lost' }

/** Apply an event. Returns the next feed and the topics whose watchers must look again. */
export function reduceFeed(feed: Feed, event: FeedEvent): [Feed, string[]] {
  switch (event.type) {
    case 'welcome':
      // Another server process counts from the beginning: what was known compares with nothing.
      if (event.serverId === feed.serverId) return [feed, []]
      return [{ serverId: event.serverId, versions: new Map() }, []]
    case 'subscribed': {
      const kept = new Map([...feed.versions].filter(([topic]) => event.topics.includes(topic)))
      return [{ ...feed, versions: kept }, []]
    }
    case 'changed': {
      const versions = new Map(feed.versions)
      const stale: string[] = []
      for (const [topic, version] of Object.entries(event.versions)) {
        const known = versions.get(topic)
        // An equal one is told twice, a lower one came late; a gap is nothing special, the newest is all that counts.
        if (known !== undefined && version <= known) continue
        versions.set(topic, version)
        stale.push(topic)
      }
      return stale.length ? [{ ...feed, versions }, stale] : [feed, []]
    }
    case 'lost':
      return [{ ...feed, versions: new Map() }, []]
  }
}
