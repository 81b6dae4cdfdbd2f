import { createHmac } from 'node:crypto'
import { beforeEach, describe, expect, it, vi } from 'vitest'

const asked: { unsigned: string; nonce: string }[] = []
let answer: (nonce: string) => Response

async function load() {
  vi.resetModules()
  return import('./proof')
}

function proofOf(nonce: string): string {
  return createHmac('sha256', 'signature').update(`stellwerk server proof\0${nonce}`).digest('hex')
}

beforeEach(() => {
  asked.length = 0
  answer = (nonce) => Response.json({ proof: proofOf(nonce) })
  vi.stubGlobal('fetch', async (_: URL, init: RequestInit) => {
    asked.push(JSON.parse(String(init.body)))
    return answer(asked.at(-1)!.nonce)
  })
})

describe('the proof', () => {
  it('is not asked for while the connection has held', async () => {
    const { mayTrust } = await load()
    expect(await mayTrust('swp1.9.x.signature')).toBe(true)
    expect(asked).toHaveLength(0)
  })

  it('is asked for once after a doubt, without the signature', async () => {
    const { doubt, mayTrust } = await load()
    doubt()
    expect(await Promise.all([mayTrust('swp1.9.x.signature'), mayTrust('swp1.9.x.signature')])).toEqual([true, true])
    expect(await mayTrust('swp1.9.x.signature')).toBe(true)
    expect(asked.map(({ unsigned }) => unsigned)).toEqual(['swp1.9.x'])
  })

  it.each([
    ['another digest', () => Response.json({ proof: proofOf('another number') })],
    ['none', () => Response.json({})],
    ['no JSON', () => new Response('<p>hello</p>')],
  ])('fails by %s, and is asked for again', async (_, wrong) => {
    const { doubt, mayTrust } = await load()
    doubt()
    answer = wrong
    expect(await mayTrust('swp1.9.x.signature')).toBe(false)
    answer = (nonce) => Response.json({ proof: proofOf(nonce) })
    expect(await mayTrust('swp1.9.x.signature')).toBe(true)
  })

  it('is not given by a proxy that finds no server', async () => {
    const { doubt, mayTrust } = await load()
    doubt()
    answer = () => new Response('', { status: 502 })
    await expect(mayTrust('swp1.9.x.signature')).rejects.toThrow('502')
  })
})
