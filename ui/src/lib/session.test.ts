import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

let answer: (body: { code?: string; token?: string }) => Response

const ok = (token: string) => new Response(JSON.stringify({ token, expires_at: '' }))
const refuse = () => new Response(JSON.stringify({ error: { code: 'x', message: 'Used up.' } }), { status: 401 })

/** The channels of this and former sessions: a module that is forgotten still answers on its own. */
const open: BroadcastChannel[] = []

async function load() {
  vi.resetModules()
  return import('./session')
}

beforeEach(() => {
  sessionStorage.clear()
  history.replaceState(null, '', '/')
  const Real = BroadcastChannel
  vi.stubGlobal(
    'BroadcastChannel',
    class extends Real {
      constructor(name: string) {
        super(name)
        open.push(this)
      }
    },
  )
  vi.stubGlobal('fetch', async (_url: URL, init: RequestInit) => answer(JSON.parse(String(init.body))))
})

afterEach(() => {
  for (const channel of open.splice(0)) channel.close()
  vi.unstubAllGlobals()
})

describe('startSession', () => {
  it('exchanges the code of the fragment and takes it out of the address', async () => {
    history.replaceState(null, '', '/runs?q=state:failed#code=ONCE')
    answer = ({ code }) => (code === 'ONCE' ? ok('T') : refuse())
    const { startSession, session } = await load()
    await startSession()
    expect(session.get()).toMatchObject({ status: 'in', token: 'T' })
    expect(sessionStorage.getItem('stellwerk.token')).toBe('T')
    expect(location.hash).toBe('')
    expect(location.search).toBe('?q=state:failed')
  })

  it('tells why a link did not work', async () => {
    history.replaceState(null, '', '/#code=OLD')
    answer = refuse
    const { startSession, session } = await load()
    await startSession()
    expect(session.get()).toMatchObject({ status: 'out', reason: 'Used up.' })
  })

  it('does without a link that is used up where this tab is signed in', async () => {
    sessionStorage.setItem('stellwerk.token', 'HELD')
    history.replaceState(null, '', '/#code=OLD')
    answer = refuse
    const { startSession, session } = await load()
    await startSession()
    expect(session.get()).toMatchObject({ status: 'in', token: 'HELD' })
  })

  it('asks the other tabs', async () => {
    const tab = new BroadcastChannel('stellwerk /')
    tab.onmessage = ({ data }) => 'ask' in data && tab.postMessage({ token: 'THEIRS' })
    const { startSession, session } = await load()
    await startSession()
    tab.close()
    expect(session.get()).toMatchObject({ status: 'in', token: 'THEIRS' })
  })

  it('is out, without a reason, where nobody has signed in', async () => {
    const { startSession, session } = await load()
    await startSession()
    expect(session.get()).toEqual({ status: 'out', token: null, reason: '' })
  })
})

describe('refused', () => {
  it('ends the session of that token only', async () => {
    answer = () => ok('NEW')
    const { signIn, refused, session } = await load()
    await signIn('api token')
    refused('OLD')
    expect(session.get().status).toBe('in')
    refused('NEW')
    expect(session.get()).toMatchObject({ status: 'out', token: null })
    expect(sessionStorage.getItem('stellwerk.token')).toBeNull()
  })
})
