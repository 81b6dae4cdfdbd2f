import { createStore, useStore } from './store'

/**
 * Who may read: a token from the fragment's one-time code, from this tab's storage, from another tab, or pasted.
 * No cookie, because cookies ignore ports: any other server of this machine would get it.
 */
export interface Session {
  status: 'starting' | 'in' | 'out'
  token: string | null
  /** Why it is 'out', for the person. Empty: nobody has signed in yet. */
  reason: string
}

const KEY = 'stellwerk.token'
// Another tab answers within a few milliseconds, or there is none.
const WAIT_FOR_TABS = 150

/** The session of this tab. */
export const session = createStore<Session>({ status: 'starting', token: null, reason: '' })

type Note = { ask: true } | { token: string } | { left: true }

let channel: BroadcastChannel | null = null

/** Find the token. Called once; afterwards the status is 'in' or 'out'. */
export async function startSession(): Promise<void> {
  channel = openChannel()
  const code = takeCode()
  let reason = ''
  if (code) {
    try {
      return enter(await exchange({ code }))
    } catch (error) {
      // A used-up link is no harm where this tab, or another one, is signed in already.
      reason = error instanceof Error ? error.message : String(error)
    }
  }
  const token = stored() ?? (await askTabs())
  if (token) enter(token)
  else session.set({ status: 'out', token: null, reason })
}

/** Sign in with an API token that somebody pasted. Throws what the server says. */
export async function signIn(token: string): Promise<void> {
  enter(await exchange({ token }))
}

/** Forget the token, here and in the other tabs. */
export function signOut(): void {
  leave('')
  tell({ left: true })
}

/** Note that the server refused a token. An answer to an older token than the present one says nothing. */
export function refused(token: string | null): void {
  const now = session.get()
  if (now.status === 'in' && now.token === token) leave('Your session has ended.')
}

/** Watch the session. */
export function useSession(): Session {
  return useStore(session)
}

async function exchange(proof: { code: string } | { token: string }): Promise<string> {
  // Not through `request`: it asks this module for the token.
  const response = await fetch(new URL('api/session', document.baseURI), {
    method: 'POST',
    body: JSON.stringify(proof),
    headers: { 'Content-Type': 'application/json' },
    credentials: 'omit',
  }).catch(() => {
    throw new Error('The server does not answer. `stellwerk server status` tells whether it runs.')
  })
  const answer = (await response.json().catch(() => ({}))) as { token?: string; error?: { message: string } }
  if (response.ok && answer.token) return answer.token
  throw new Error(answer.error?.message ?? `The server answered ${response.status}.`)
}

function takeCode(): string | null {
  const code = new URLSearchParams(location.hash.slice(1)).get('code')
  // Out of the address bar and the history at once; what is before the # stays.
  if (code) history.replaceState(history.state, '', location.pathname + location.search)
  return code
}

function enter(token: string): void {
  try {
    sessionStorage.setItem(KEY, token)
  } catch {
    // Then it lasts until a reload.
  }
  session.set({ status: 'in', token, reason: '' })
  tell({ token })
}

function leave(reason: string): void {
  try {
    sessionStorage.removeItem(KEY)
  } catch {
    // It was never stored.
  }
  session.set({ status: 'out', token: null, reason })
}

function stored(): string | null {
  try {
    return sessionStorage.getItem(KEY)
  } catch {
    return null
  }
}

function tell(note: Note): void {
  channel?.postMessage(note)
}

function openChannel(): BroadcastChannel | null {
  if (typeof BroadcastChannel === 'undefined') return null
  // Two servers may share an origin under different paths.
  const opened = new BroadcastChannel(`stellwerk ${new URL(document.baseURI).pathname}`)
  opened.onmessage = (event: MessageEvent<Note>) => {
    const now = session.get()
    if ('ask' in event.data && now.token) tell({ token: now.token })
    else if ('token' in event.data && now.status === 'out') adopt(event.data.token)
    else if ('left' in event.data && now.status === 'in') leave('')
  }
  return opened
}

function adopt(token: string): void {
  try {
    sessionStorage.setItem(KEY, token)
  } catch {
    // Then it lasts until a reload.
  }
  session.set({ status: 'in', token, reason: '' })
}

async function askTabs(): Promise<string | null> {
  const asked = channel
  if (!asked) return null
  return new Promise((resolve) => {
    const listen = (event: MessageEvent<Note>) => {
      if (!('token' in event.data)) return
      finish(event.data.token)
    }
    const timer = setTimeout(() => finish(null), WAIT_FOR_TABS)
    const finish = (token: string | null) => {
      clearTimeout(timer)
      asked.removeEventListener('message', listen)
      resolve(token)
    }
    asked.addEventListener('message', listen)
    tell({ ask: true })
  })
}
