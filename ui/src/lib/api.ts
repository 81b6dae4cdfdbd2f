import type { TypedDocumentString } from '@/gql/graphql'
import { address } from './address'
import { doubt, mayTrust } from './proof'
import { refused, session } from './session'

/** What the server (or the lack of one) said instead of an answer. */
export class ApiError extends Error {
  override name = 'ApiError'

  constructor(
    /** The HTTP status; 0 when the server could not be reached. */
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint = '',
    readonly requestId = '',
  ) {
    super(message)
  }

  /** Whether trying again may help without anything being changed. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 503 || this.status === 502 || this.status === 504
  }
}

/** Somebody answers at the server's address who does not hold its key. */
export class Stranger extends ApiError {
  constructor() {
    super(
      0,
      'stranger',
      'Something else answers at the address of the server.',
      'Start the server again; `stellwerk open` leads to it. Nothing was sent there.',
    )
  }
}

/** Ask the server; a status other than 2xx becomes an ApiError. 304 never comes here: the browser answers it. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers)
  const token = session.get().token
  if (token && !headers.has('Authorization')) headers.set('Authorization', `Bearer ${token}`)
  let response: Response
  try {
    if (token && !(await mayTrust(token))) throw new Stranger()
    response = await fetch(address(path), { ...init, headers, credentials: 'omit' })
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    if (error instanceof Stranger) throw error
    doubt()
    throw new ApiError(
      0,
      'unreachable',
      'The server does not answer.',
      'Is it running? `stellwerk server status` tells.',
    )
  }
  if (response.ok) return response
  if (response.status === 401) refused(token)
  throw await errorOf(response)
}

interface Told {
  code?: string
  message: string
  hint?: string
}

async function errorOf(response: Response): Promise<ApiError> {
  const id = response.headers.get('X-Request-Id') ?? ''
  const body = (await response.json().catch(() => null)) as { error?: Told; errors?: GraphqlError[] } | null
  const first = body?.errors?.[0]
  const told = body?.error ?? (first && { message: first.message, ...first.extensions })
  if (told) return new ApiError(response.status, told.code ?? 'graphql', told.message, told.hint, id)
  // A proxy in between answers as it likes.
  const text = `The server answered ${response.status} ${response.statusText}`.trimEnd()
  return new ApiError(response.status, 'unexpected_answer', `${text}.`, '', id)
}

/** Ask for JSON. */
export async function getJson<T>(path: string, init?: RequestInit): Promise<T> {
  return (await request(path, init)).json() as Promise<T>
}

interface GraphqlError {
  message: string
  extensions?: { code?: string; hint?: string }
}

/** Run a GraphQL operation; the first of its errors is thrown. */
export async function graphql<Result, Variables>(
  document: TypedDocumentString<Result, Variables>,
  variables: Variables,
  signal?: AbortSignal,
): Promise<Result> {
  const init: RequestInit = {
    method: 'POST',
    body: JSON.stringify({ query: document.toString(), variables }),
    headers: { 'Content-Type': 'application/json' },
  }
  if (signal) init.signal = signal
  const answer = await getJson<{ data?: Result; errors?: GraphqlError[] }>('graphql', init)
  const [first] = answer.errors ?? []
  if (first) throw new ApiError(400, first.extensions?.code ?? 'graphql', first.message, first.extensions?.hint)
  return answer.data as Result
}
