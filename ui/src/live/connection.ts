import { address } from '@/lib/address'
import { ApiError, request } from '@/lib/api'
import { doubt, mayTrust } from '@/lib/proof'
import { refused, session } from '@/lib/session'
import { createStore } from '@/lib/store'
import { noteVersion } from '@/lib/version'
import { type FeedEvent, reduceFeed, SILENT } from './feed'

/** How news comes: over the socket, by asking for it, or not at all. */
export type LiveMode = 'live' | 'polling' | 'offline'

/** The connection as shown to a person. */
export interface LiveStatus {
  mode: LiveMode
  /** Before the first attempt has ended nothing is wrong yet. */
  isStarting: boolean
  /** When the server was last heard, in ms: the age of what is shown when offline. */
  heardAt: number
}

const REFUSALS_UNTIL_POLLING = 3
const LONGEST_PAUSE = 15_000
// The server pings every 20 s.
const SILENCE_IS_DEATH = 45_000
// A proxy may have been told to let sockets through.
const TRY_SOCKET_AGAIN = 120_000
const POLL_WAIT = 25

interface Message {
  welcome?: { server_id: string; version: string }
  changed?: Record<string, number>
  ping?: number
  error?: { code: string; message: string }
}

/** How this tab stands with the server. */
export const liveStatus = createStore<LiveStatus>({ mode: 'offline', isStarting: true, heardAt: Date.now() })

let feed = SILENT
let socket: WebSocket | null = null
let isWelcome = false
let refusals = 0
let pauses = 0
let timer: ReturnType<typeof setTimeout> | undefined
let silence: ReturnType<typeof setTimeout> | undefined
let poll: AbortController | null = null
let cursor = ''
let wanted: readonly string[] = []
let tell: (topic: string) => void = () => {}

/** Connect whenever somebody is signed in. `onStale` hears each topic whose watchers must look again. */
export function startLive(onStale: (topic: string) => void): void {
  tell = onStale
  session.subscribe(follow)
  document.addEventListener('visibilitychange', sendWanted)
  addEventListener('online', retryNow)
  // A page in the back/forward cache must hold no socket; it connects again when it is shown.
  addEventListener('pagehide', stop)
  addEventListener('pageshow', (event) => event.persisted && follow())
  follow()
}

/** Say which topics are on screen. */
export function want(topics: readonly string[]): void {
  if (topics.length === wanted.length && topics.every((topic) => wanted.includes(topic))) return
  wanted = topics
  sendWanted()
}

/** Do not wait for the next attempt. */
export function retryNow(): void {
  if (session.get().status !== 'in' || isWelcome || poll) return
  stop()
  void connect()
}

function follow(): void {
  stop()
  if (session.get().status === 'in') void connect()
}

function stop(): void {
  clearTimeout(timer)
  clearTimeout(silence)
  poll?.abort()
  poll = null
  const closing = socket
  socket = null
  isWelcome = false
  closing?.close()
}

function apply(event: FeedEvent): void {
  const [next, stale] = reduceFeed(feed, event)
  feed = next
  for (const topic of stale) tell(topic)
}

function status(mode: LiveMode): void {
  const known = liveStatus.get()
  const heardAt = mode === 'offline' ? known.heardAt : Date.now()
  // While all is well nobody needs each heartbeat; offline shows the time of the last one.
  if (known.mode === mode && !known.isStarting) {
    if (mode !== 'offline') known.heardAt = heardAt
    return
  }
  liveStatus.set({ mode, isStarting: false, heardAt })
}

function shown(): readonly string[] {
  return document.visibilityState === 'hidden' ? [] : wanted
}

function sendWanted(): void {
  if (isWelcome && socket?.readyState === WebSocket.OPEN) {
    apply({ type: 'subscribed', topics: shown() })
    socket.send(JSON.stringify({ subscribe: shown() }))
  } else if (poll) {
    apply({ type: 'subscribed', topics: shown() })
    poll.abort()
  }
}

function later(): void {
  pauses += 1
  const pause = Math.min(LONGEST_PAUSE, 250 * 2 ** pauses) * (0.75 + Math.random() / 2)
  timer = setTimeout(connect, pause)
}

async function connect(): Promise<void> {
  const token = session.get().token
  const isTrusted = token !== null && (await mayTrust(token).catch(() => false))
  if (session.get().token !== token || socket || poll) return
  if (!isTrusted) {
    status('offline')
    return later()
  }
  open()
}

function open(): void {
  const url = address('api/live')
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  const opening = new WebSocket(url)
  socket = opening
  const mine = (act: () => void) => () => socket === opening && act()
  opening.onopen = mine(() => opening.send(JSON.stringify({ token: session.get().token })))
  opening.onmessage = (event) => socket === opening && hear(JSON.parse(String(event.data)) as Message)
  opening.onclose = (event) => socket === opening && lost(event.code)
  expectNews()
}

function expectNews(): void {
  clearTimeout(silence)
  silence = setTimeout(() => {
    const quiet = socket
    if (!quiet) return
    lost(0)
    quiet.close()
  }, SILENCE_IS_DEATH)
}

function hear(message: Message): void {
  expectNews()
  if (message.welcome) {
    isWelcome = true
    refusals = 0
    pauses = 0
    noteVersion(message.welcome.version)
    apply({ type: 'welcome', serverId: message.welcome.server_id })
    sendWanted()
  }
  if (isWelcome) status('live')
  if (message.changed) apply({ type: 'changed', versions: message.changed })
}

function lost(code: number): void {
  doubt()
  const wasWelcome = isWelcome
  socket = null
  isWelcome = false
  clearTimeout(silence)
  apply({ type: 'lost' })
  if (code === 4401) {
    refused(session.get().token)
    return
  }
  if (!wasWelcome) refusals += 1
  if (refusals >= REFUSALS_UNTIL_POLLING) {
    void pollForNews()
    return
  }
  if (wasWelcome || refusals > 1) status('offline')
  later()
}

/** Ask for news over plain HTTP: what is left where a proxy refuses WebSockets. */
async function pollForNews(): Promise<void> {
  const until = Date.now() + TRY_SOCKET_AGAIN
  cursor = ''
  while (session.get().status === 'in') {
    const asking = new AbortController()
    poll = asking
    try {
      const topics = shown()
      const answer = await ask(topics, asking.signal)
      if (poll !== asking) return
      pauses = 0
      cursor = answer.cursor
      status('polling')
      apply({ type: 'changed', versions: answer.changed })
    } catch (error) {
      if (poll !== asking) return
      if (asking.signal.aborted) {
        // Other topics are on screen now; a cursor says nothing about those it was not made for.
        cursor = ''
        continue
      }
      poll = null
      apply({ type: 'lost' })
      if (error instanceof ApiError && error.status === 401) return
      status('offline')
      return later()
    }
    if (Date.now() > until) {
      poll = null
      refusals = REFUSALS_UNTIL_POLLING - 1
      return connect()
    }
  }
}

async function ask(topics: readonly string[], signal: AbortSignal) {
  const query = new URLSearchParams({ topics: topics.join(','), cursor, wait: String(POLL_WAIT) })
  const response = await request(`api/live?${query}`, { signal })
  return (await response.json()) as { cursor: string; changed: Record<string, number> }
}
