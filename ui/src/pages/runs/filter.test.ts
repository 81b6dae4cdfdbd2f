import { describe, expect, it } from 'vitest'
import { STATE_NAMES } from '@/lib/states'
import { compileFilter } from './compile'
import { formatTerm, KEYS, KINDS, parseFilter, type Term, valuesOf, withValues } from './filter'
import { suggest } from './suggest'

const NOW = Date.parse('2026-11-24T12:00:00Z')
const compile = (text: string) => compileFilter(parseFilter(text), NOW, 'Europe/Berlin')
const problems = (text: string) => parseFilter(text).problems.map(({ message }) => message)
const ROOTS = { kind: { _eq: 'flow' }, parent_id: { _is_null: true } }

/** Numbers that look random and are the same each time. */
function randomness(seed: number) {
  let state = seed
  const below = (limit: number) => {
    state = (state * 48_271) % 2_147_483_647
    return state % limit
  }
  return { below, pick: <T>(from: readonly T[]): T => from[below(from.length)]! }
}

describe('parseFilter', () => {
  it('reads terms, lists, quotes and negation', () => {
    const { terms } = parseFilter('state:failed,crashed  flow:"my flow",etl-* -tag:x "free: text" plain')
    expect(terms.map(({ key, isNegated, values }) => [key, isNegated, values])).toEqual([
      ['state', false, ['failed', 'crashed']],
      ['flow', false, ['my flow', 'etl-*']],
      ['tag', true, ['x']],
      ['text', false, ['free: text']],
      ['text', false, ['plain']],
    ])
  })

  it('says what is allowed where something is not', () => {
    expect(problems('stat:failed')[0]).toContain('Known: state, flow, name')
    expect(problems('state:faild')[0]).toBe(`“faild” is no state. Known: ${STATE_NAMES.join(', ')}.`)
    expect(problems('flow:')[0]).toContain('needs a value, as in flow:etl-*')
    expect(problems('started:soon')[0]).toContain('Say >-24h')
    expect(problems('duration:10')[0]).toContain('Say >10m')
    expect(problems('kind:flow,task')[0]).toContain('takes one of')
    expect(problems('kind:flow kind:task')[0]).toContain('once')
    expect(problems('name:"open')[0]).toContain('not closed')
  })

  it('points at what it means', () => {
    const text = 'flow:a stat:b'
    const [problem] = parseFilter(text).problems
    expect(text.slice(problem!.start, problem!.end)).toBe('stat:b')
  })

  it('never fails, loses no letter and compiles what it can, whatever is typed', () => {
    const { below, pick } = randomness(1)
    const pieces = [
      'state',
      'flow',
      ':',
      ',',
      '"',
      '\\',
      '-',
      ' ',
      '*',
      '>',
      '<',
      '..',
      '24h',
      'é',
      '🚂',
      '%',
      '_',
      '\t',
    ]
    for (let round = 0; round < 3000; round += 1) {
      const text = Array.from({ length: below(12) }, () => pick(pieces)).join('')
      const filter = parseFilter(text)
      const spans = [...filter.terms, ...filter.problems].sort((a, b) => a.start - b.start)
      const left = spans.reduceRight((rest, { start, end }) => rest.slice(0, start) + rest.slice(end), text)
      expect(left.trim(), text).toBe('')
      expect(() => compileFilter(filter, NOW, 'UTC'), text).not.toThrow()
      expect(() => suggest(text, below(text.length + 1), { flows: ['a b'], tags: [] }), text).not.toThrow()
    }
  })

  it('reads back what it writes', () => {
    const { below, pick } = randomness(2)
    const letters = ['a', 'b', '-', ':', ',', '"', '\\', ' ', '*', 'ü', '.']
    const word = () => Array.from({ length: 1 + below(6) }, () => pick(letters)).join('')
    for (let round = 0; round < 3000; round += 1) {
      const written: Pick<Term, 'key' | 'isNegated' | 'values'>[] = Array.from({ length: 1 + below(4) }, () => {
        const key = pick(['text', 'flow', 'name', 'tag', 'state'] as const)
        const value = () => (key === 'state' ? pick(STATE_NAMES) : word())
        const values = key === 'text' ? [word()] : Array.from({ length: 1 + below(3) }, value)
        return { key, isNegated: below(3) === 0, values }
      })
      const text = written.map(formatTerm).join(' ')
      const { terms, problems: found } = parseFilter(text)
      expect(found, text).toEqual([])
      expect(
        terms.map(({ key, isNegated, values }) => ({ key, isNegated, values })),
        text,
      ).toEqual(written)
    }
  })
})

describe('withValues', () => {
  it('replaces one key and leaves the rest as it was written', () => {
    expect(withValues('state:failed  "a  b" flow:x', 'state', ['running'])).toBe('state:running "a  b" flow:x')
    expect(withValues('state:failed flow:x state:running', 'state', [])).toBe('flow:x')
    expect(withValues('-state:failed', 'state', ['crashed'])).toBe('state:crashed -state:failed')
    expect(valuesOf(parseFilter('state:failed,crashed state:running'), 'state')).toEqual([
      'failed',
      'crashed',
      'running',
    ])
  })
})

describe('compileFilter', () => {
  it('means flow runs without a parent unless it says otherwise', () => {
    expect(compile('')).toEqual(ROOTS)
    expect(compile('kind:any')).toEqual({ _and: [] })
    expect(compile('kind:task')).toEqual({ kind: { _eq: 'task' } })
    for (const kind of Object.keys(KINDS)) expect(problems(`kind:${kind}`)).toEqual([])
  })

  it('compiles each key', () => {
    expect(compile('state:failed,crashed')).toEqual({ _and: [ROOTS, { state: { _in: ['failed', 'crashed'] } }] })
    expect(compile('flow:etl_*')).toEqual({ _and: [ROOTS, { flow_name: { _like: 'etl\\_%' } }] })
    expect(compile('-name:a,b')).toEqual({
      _and: [ROOTS, { _not: { _or: [{ name: { _eq: 'a' } }, { name: { _eq: 'b' } }] } }],
    })
    expect(compile('tag:prod')).toEqual({ _and: [ROOTS, { tags: { _contains: ['prod'] } }] })
    expect(compile('50%')).toEqual({
      _and: [ROOTS, { _or: [{ name: { _ilike: '%50\\%%' } }, { flow_name: { _ilike: '%50\\%%' } }] }],
    })
  })

  it('reads times in the chosen zone, from now', () => {
    const started = (text: string) => (compile(`started:${text}`) as { _and: unknown[] })._and[1]
    expect(started('>-24h')).toEqual({ started_at: { _gt: '2026-11-23T12:00:00.000Z' } })
    const day = { _gte: '2026-11-23T23:00:00.000Z', _lt: '2026-11-24T23:00:00.000Z' }
    expect(started('today')).toEqual({ started_at: day })
    expect(started('2026-11-24')).toEqual({ started_at: day })
    expect(started('>2026-11-23')).toEqual({ started_at: { _gte: '2026-11-23T23:00:00.000Z' } })
    expect(started('<2026-11-24T10:00')).toEqual({ started_at: { _lt: '2026-11-24T09:00:00.000Z' } })
    // The day on which the clocks go back has 25 hours.
    expect(started('2026-10-25')).toEqual({
      started_at: { _gte: '2026-10-24T22:00:00.000Z', _lt: '2026-10-25T23:00:00.000Z' },
    })
    expect(problems('started:2026-02-30')).toHaveLength(1)
  })

  it('reads lengths of time', () => {
    const duration = (text: string) => (compile(`duration:${text}`) as { _and: unknown[] })._and[1]
    expect(duration('>1h30m')).toEqual({ duration_seconds: { _gt: 5400 } })
    expect(duration('<=500ms')).toEqual({ duration_seconds: { _lte: 0.5 } })
    expect(duration('10s..1m')).toEqual({ duration_seconds: { _gte: 10, _lte: 60 } })
  })

  it('can do what its own examples say', () => {
    for (const { example } of Object.values(KEYS)) expect(problems(example), example).toEqual([])
  })
})

describe('suggest', () => {
  const known = { flows: ['etl-orders', 'my flow', 'report'], tags: ['prod'] }
  const offer = (text: string) => suggest(text, text.length, known).map((each) => each.text)
  const accept = (text: string, nth = 0) => {
    const { from, insert } = suggest(text, text.length, known)[nth]!
    return text.slice(0, from) + insert
  }

  it('offers keys, then the values of the key', () => {
    expect(offer('')).toEqual(Object.keys(KEYS).map((key) => `${key}:`))
    expect(offer('flow:x st')).toEqual(['state:', 'started:'])
    expect(offer('state:c')).toContain('crashed')
    expect(offer('state:failed,f')).toEqual([])
    expect(offer('flow:')).toEqual(known.flows)
    expect(offer('nothing:')).toEqual([])
  })

  it('inserts what can be read, whatever stood there', () => {
    expect(accept('-st')).toBe('-state:')
    expect(accept('state:failed,cr')).toBe('state:failed,crashed ')
    expect(accept('flow:my')).toBe('flow:"my flow" ')
    expect(problems(accept('flow:my'))).toEqual([])
  })
})
