import { address } from './address'

/**
 * Whether who answers at our address is still the server that signed our token. When a server has died, any user of
 * its machine may take the port; so after a lost connection the token is sent only to who proves to hold the key.
 */
let isSure = true
let proving: Promise<boolean> | null = null

/** Note that the connection was lost: somebody else may answer next. */
export function doubt(): void {
  isSure = false
}

/** Whether the token may be sent. Asks for a proof if there is doubt; rejects when nobody answers. */
export async function mayTrust(token: string): Promise<boolean> {
  // Browsers offer this on loopback and over TLS; on a plain name of a network anybody between could listen anyway.
  if (isSure || !globalThis.crypto?.subtle) return true
  proving ??= prove(token).finally(() => {
    proving = null
  })
  const isProven = await proving
  if (isProven) isSure = true
  return isProven
}

async function prove(token: string): Promise<boolean> {
  const dot = token.lastIndexOf('.')
  const nonce = crypto.randomUUID()
  const response = await fetch(address('api/proof'), {
    method: 'POST',
    body: JSON.stringify({ unsigned: token.slice(0, dot), nonce }),
    headers: { 'Content-Type': 'application/json' },
    credentials: 'omit',
  })
  // A proxy in between says that nobody is there.
  if (response.status >= 500) throw new TypeError(`The server answered ${response.status}.`)
  const answer = (await response.json().catch(() => null)) as { proof?: string } | null
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', bytesOf(token.slice(dot + 1)), algorithm, false, ['sign'])
  const digest = await crypto.subtle.sign('HMAC', key, bytesOf(`stellwerk server proof\0${nonce}`))
  const expected = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
  return answer?.proof === expected
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text)
}
