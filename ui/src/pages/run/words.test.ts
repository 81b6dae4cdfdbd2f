import { describe, expect, it } from 'vitest'
import states from '@/gql/states.json'
import { causeOf, commandOf, quoted, whyOf } from './words'

describe('why a run stands where it stands', () => {
  it('is told by its label, with the evidence', () => {
    const lost = { state: 'crashed', label: 'OwnerLost', cause: 'lease_lost', evidence: 'process 12 on vm is gone' }
    expect(whyOf(lost)).toBe('The process that owned it is gone: process 12 on vm is gone.')
    expect(whyOf({ state: 'cancelled', label: 'Interrupted', cause: 'cancelled', evidence: 'Ctrl-C' })).toBe(
      'A signal ended the process that owned it: Ctrl-C.',
    )
  })

  it('is told by its cause where there is no label, and an exception speaks for itself', () => {
    expect(whyOf({ state: 'crashed', cause: 'oom' })).toBe('The kernel killed it for memory.')
    expect(whyOf({ state: 'failed', cause: 'user_error' })).toBe('')
    expect(whyOf({ state: 'completed' })).toBe('')
  })

  it('is told for every label and every state that waits', () => {
    for (const { label } of states.labels) expect(whyOf({ state: 'failed', label })).toMatch(/^[A-Z].+\.$/)
    for (const state of ['scheduled', 'paused', 'cancelling']) expect(whyOf({ state })).toMatch(/^It .+\.$/)
  })

  it('reads a cause that this page does not know', () => {
    expect(causeOf('disk_full')).toBe('Disk full.')
  })
})

describe('the command that starts a run again', () => {
  const source = { name: 'nightly', file: '/srv/my flows/etl.py' }

  it('names file, flow and parameters as a shell takes them', () => {
    expect(commandOf({ source, parameters: { day: "it's", parts: 3 } })).toBe(
      `stellwerk run '/srv/my flows/etl.py:nightly' -p 'day="it'\\''s"' -p parts=3`,
    )
  })

  it('leaves long parameters to the person, and is none where there is no file', () => {
    expect(commandOf({ source, parameters: { rows: Array(200).fill(1) } })).toBe(
      "stellwerk run '/srv/my flows/etl.py:nightly'",
    )
    expect(commandOf({ source: { name: 'f', file: null }, parameters: {} })).toBeNull()
    expect(commandOf({ source: { name: 'f', file: '<stdin>' } })).toBeNull()
  })

  it('quotes only what needs it', () => {
    expect([quoted('a=b'), quoted('a b'), quoted('$x'), quoted('')]).toEqual(['a=b', "'a b'", "'$x'", "''"])
  })
})
