import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

const trust = vi.hoisted(() => ({ isGiven: true }))
vi.mock('@/lib/proof', () => ({ doubt: () => {}, mayTrust: async () => trust.isGiven }))

/** A socket whose other end is the test. */
class FakeSocket {
  static all: FakeSocket[] = []
  static OPEN = 1
  readyState = 0
  sent: unknown[] = []
  onopen: (() => void) | null = null
  onmessage: ((event: { data: string }) => void) | null = null
  onclose: ((event: { code: number }) => void) | null = null

  constructor(readonly url: URL | string) {
    FakeSocket.all.push(this)
  }

  send(text: string) {
    this.sent.push(JSON.parse(text))
  }

  close() {
    this.readyState = 3
  }

  open() {
    this.readyState = 1
    this.onopen?.()
  }

  say(message: unknown) {
    this.onmessage?.({ data: JSON.stringify(message) })
  }

  end(code = 1006) {
    this.readyState = 3
    this.onclose?.({ code })
  }
}

const polls: { url: URL; answer: (body: unknown) => void; fail: () => void }[] = []

async function start(topics: string[]) {
  vi.resetModules()
  const { session } = await import('@/lib/session')
  const connection = await import('./connection')
  const stale: string[] = []
  session.set({ status: 'in', token: 'T', reason: '' })
  connection.startLive((topic) => stale.push(topic))
  connection.want(topics)
  await vi.advanceTimersByTimeAsync(0)
  return { ...connection, session, stale }
}

const last = () => FakeSocket.all.at(-1)!

/** Let the socket be refused until polling begins. */
async function refuse(times: number) {
  for (let n = 0; n < times; n += 1) {
    last().end()
    await vi.advanceTimersByTimeAsync(2000)
  }
}

beforeEach(() => {
  vi.useFakeTimers()
  trust.isGiven = true
  FakeSocket.all = []
  polls.length = 0
  vi.stubGlobal('WebSocket', FakeSocket)
  vi.stubGlobal('fetch', (url: URL, init: RequestInit) => {
    return new Promise<Response>((resolve, reject) => {
      const answer = (body: unknown) => resolve(new Response(JSON.stringify(body)))
      polls.push({ url, answer, fail: () => reject(new TypeError('refused')) })
      init.signal?.addEventListener('abort', () => reject(new DOMException('', 'AbortError')))
    })
  })
})

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe('the connection', () => {
  it('says who it is, subscribes after the welcome, and tells what changed', async () => {
    const { stale, liveStatus } = await start(['runs'])
    expect(String(last().url)).toMatch(/^ws:.*\/api\/live$/)
    last().open()
    expect(last().sent).toEqual([{ token: 'T' }])
    last().say({ welcome: { server_id: 'a', version: '1' } })
    expect(last().sent[1]).toEqual({ subscribe: ['runs'] })
    last().say({ changed: { runs: 4 } })
    expect(stale).toEqual(['runs'])
    expect(liveStatus.get().mode).toBe('live')
  })

  it('subscribes to nothing while hidden, and looks again when shown', async () => {
    const { stale } = await start(['runs'])
    last().open()
    last().say({ welcome: { server_id: 'a', version: '1' } })
    last().say({ changed: { runs: 4 } })
    const visibility = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden')
    document.dispatchEvent(new Event('visibilitychange'))
    expect(last().sent.at(-1)).toEqual({ subscribe: [] })
    visibility.mockReturnValue('visible')
    document.dispatchEvent(new Event('visibilitychange'))
    expect(last().sent.at(-1)).toEqual({ subscribe: ['runs'] })
    last().say({ changed: { runs: 4 } })
    expect(stale).toEqual(['runs', 'runs'])
  })

  it('connects again after a loss, and looks again', async () => {
    const { stale, liveStatus } = await start(['runs'])
    last().open()
    last().say({ welcome: { server_id: 'a', version: '1' } })
    last().say({ changed: { runs: 4 } })
    last().end()
    expect(liveStatus.get().mode).toBe('offline')
    await vi.advanceTimersByTimeAsync(2000)
    expect(FakeSocket.all).toHaveLength(2)
    last().open()
    last().say({ welcome: { server_id: 'b', version: '1' } })
    last().say({ changed: { runs: 1 } })
    expect(stale).toEqual(['runs', 'runs'])
  })

  it('takes a socket that has gone silent for dead', async () => {
    const { liveStatus } = await start(['runs'])
    last().open()
    last().say({ welcome: { server_id: 'a', version: '1' } })
    await vi.advanceTimersByTimeAsync(30_000)
    last().say({ ping: 1 })
    await vi.advanceTimersByTimeAsync(30_000)
    expect(liveStatus.get().mode).toBe('live')
    await vi.advanceTimersByTimeAsync(20_000)
    expect(FakeSocket.all.length).toBeGreaterThan(1)
  })

  it('polls after three refusals, with the cursor of the last answer', async () => {
    const { stale, liveStatus } = await start(['runs'])
    await refuse(3)
    expect(polls).toHaveLength(1)
    expect(polls[0]!.url.searchParams.get('topics')).toBe('runs')
    polls[0]!.answer({ cursor: 'c1', changed: { runs: 3 } })
    await vi.advanceTimersByTimeAsync(0)
    expect(liveStatus.get().mode).toBe('polling')
    expect(stale).toEqual(['runs'])
    expect(polls[1]!.url.searchParams.get('cursor')).toBe('c1')
  })

  it('asks at once for topics that come while it polls', async () => {
    const { want } = await start(['runs'])
    await refuse(3)
    polls[0]!.answer({ cursor: 'c1', changed: {} })
    await vi.advanceTimersByTimeAsync(0)
    want(['runs', 'run:1'])
    await vi.advanceTimersByTimeAsync(0)
    expect(polls.at(-1)!.url.searchParams.get('topics')).toBe('runs,run:1')
    expect(polls.at(-1)!.url.searchParams.get('cursor')).toBe('')
  })

  it('is offline when polling fails too, and goes on trying', async () => {
    const { liveStatus } = await start(['runs'])
    await refuse(3)
    polls[0]!.fail()
    await vi.advanceTimersByTimeAsync(0)
    expect(liveStatus.get().mode).toBe('offline')
    const before = FakeSocket.all.length
    await vi.advanceTimersByTimeAsync(20_000)
    expect(FakeSocket.all.length).toBeGreaterThan(before)
  })

  it('tries the socket again now and then while it polls', async () => {
    await start(['runs'])
    await refuse(3)
    const before = FakeSocket.all.length
    vi.setSystemTime(Date.now() + 121_000)
    polls[0]!.answer({ cursor: 'c1', changed: {} })
    await vi.advanceTimersByTimeAsync(0)
    expect(FakeSocket.all.length).toBe(before + 1)
  })

  it('ends the session when the server refuses the token', async () => {
    const { session } = await start(['runs'])
    last().open()
    last().end(4401)
    expect(session.get().status).toBe('out')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(FakeSocket.all).toHaveLength(1)
  })

  it('says nothing to who can not prove to be the server', async () => {
    const { liveStatus } = await start(['runs'])
    last().open()
    last().say({ welcome: { server_id: 's1', version: '1' } })
    trust.isGiven = false
    last().end()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(FakeSocket.all).toHaveLength(1)
    expect(polls).toHaveLength(0)
    expect(liveStatus.get().mode).toBe('offline')
    trust.isGiven = true
    await vi.advanceTimersByTimeAsync(20_000)
    expect(FakeSocket.all).toHaveLength(2)
  })
})
