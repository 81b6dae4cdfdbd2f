import { describe, expect, it } from 'vitest'
import { foldLibraries, readTraceback, withoutEnds } from './traceback'

const TEXT = `Traceback (most recent call last):
  File "/srv/etl.py", line 9, in clean
    return parse(row)
           ^^^^^^^^^^
  File "/srv/.venv/lib/python3.11/site-packages/pandas/io.py", line 4, in read
    raise KeyError(name)
  File "/usr/lib/python3.11/json/decoder.py", line 337, in decode
KeyError: 'amount'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/etl.py", line 12, in nightly
    clean(row)
  File "/srv/.venv/lib/python3.11/site-packages/x.py", line 1, in y
    z()
etl.SchemaError: two
lines
`

const error = { type: 'etl.SchemaError', message: 'two\nlines' }

describe('a traceback', () => {
  it('is read into frames with their code, and the lines between', () => {
    const parts = readTraceback(TEXT)
    const frames = parts.filter((part) => part.kind === 'frame')
    expect(frames.map(({ file, line, name, isLibrary }) => [file.split('/').at(-1), line, name, isLibrary])).toEqual([
      ['etl.py', 9, 'clean', false],
      ['io.py', 4, 'read', true],
      ['decoder.py', 337, 'decode', true],
      ['etl.py', 12, 'nightly', false],
      ['x.py', 1, 'y', true],
    ])
    expect(frames[0]!.code).toEqual(['    return parse(row)', '           ^^^^^^^^^^'])
    expect(parts.some((part) => part.kind === 'text' && part.text.includes('direct cause'))).toBe(true)
  })

  it('folds what libraries did, but for the place where it was raised', () => {
    const kinds = foldLibraries(readTraceback(TEXT)).map((part) =>
      part.kind === 'folded' ? part.frames.length : part.kind,
    )
    expect(kinds.filter((kind) => kind !== 'text')).toEqual(['frame', 2, 'frame', 'frame'])
  })

  it('does not say again what stands above it', () => {
    const parts = withoutEnds(readTraceback(TEXT), error)
    expect(parts.at(-1)).toMatchObject({ kind: 'frame', name: 'y' })
    // Another exception than the one told is left alone.
    expect(withoutEnds(readTraceback(TEXT), { type: 'Other', message: '' })).toHaveLength(readTraceback(TEXT).length)
  })

  it('keeps lines that it does not know', () => {
    expect(readTraceback('no traceback at all\n  | group')).toEqual([
      { kind: 'text', text: 'no traceback at all' },
      { kind: 'text', text: '  | group' },
    ])
    expect(readTraceback('')).toEqual([{ kind: 'text', text: '' }])
  })
})
