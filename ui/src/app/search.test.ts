import { describe, expect, it } from 'vitest'
import { parseSearch, stringifySearch } from './search'

describe('the search string', () => {
  it('can be read by people', () => {
    expect(stringifySearch({ q: 'state:failed,crashed started:>-24h flow:etl-*' })).toBe(
      '?q=state:failed,crashed+started:>-24h+flow:etl-*',
    )
  })

  it('leaves out what is not there', () => {
    expect(stringifySearch({ q: '', tab: undefined })).toBe('')
  })

  it('gives back every text, and texts only', () => {
    const texts = ['a+b', 'a b', '50%', '%3A', '#&=?', '"x"', '7', 'true', '{"a":1}', '🚂 ü', '\\']
    for (const q of texts) expect(parseSearch(stringifySearch({ q }))).toEqual({ q })
  })

  it('keeps what no page knows', () => {
    expect(parseSearch('?later=1&q=x')).toEqual({ later: '1', q: 'x' })
  })
})
