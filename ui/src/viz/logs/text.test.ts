import { describe, expect, it } from 'vitest'
import { linesOf, spansOf } from './ansi'
import { severityOf } from './lines'
import { pieces } from './links'
import { segmentsOf } from './segments'
import { breaks, columnsOf, rowsOf } from './wrap'

const ESC = '\u001b'

describe('text of a terminal', () => {
  it('keeps colours as styles and leaves out what a terminal would obey', () => {
    const message = `${ESC}[1;31mred${ESC}[0m plain ${ESC}]8;;https://a.b${ESC}\\link${ESC}]8;;${ESC}\\ ${ESC}[2K${ESC}[?25lend`
    expect(spansOf(message)).toEqual([
      [
        { text: 'red', style: { isBold: true, ink: 'red' } },
        { text: ' plain ', style: null },
        { text: 'link', style: null },
        { text: ' ', style: null },
        { text: 'end', style: null },
      ],
    ])
    expect(linesOf(message)).toEqual(['red plain link end'])
  })

  it('carries a style over line ends, and ends it where it is told to', () => {
    expect(spansOf(`${ESC}[32ma\nb${ESC}[39mc`)).toEqual([
      [{ text: 'a', style: { ink: 'green' } }],
      [
        { text: 'b', style: { ink: 'green' } },
        { text: 'c', style: null },
      ],
    ])
  })

  it('reads bright, indexed and true colours as the nearest of eight', () => {
    const hueOf = (codes: string) => spansOf(`${ESC}[${codes}mx`)[0]![0]!.style?.ink
    expect(['91', '38;5;9', '38;5;196', '38;2;250;20;20'].map(hueOf)).toEqual(['red', 'red', 'red', 'red'])
    expect(['38;5;46', '38;5;51', '38;5;240', '38;2;128;128;130'].map(hueOf)).toEqual([
      'green',
      'cyan',
      'black',
      'white',
    ])
  })

  it('shows of a progress bar what it wrote last', () => {
    expect(linesOf('10%\r50%\r100%\nnext\r\nlast\r')).toEqual(['100%', 'next', 'last'])
  })

  it('shows control and bidirectional characters instead of obeying them', () => {
    expect(linesOf('a\u0000b\u202ec\u0007')).toEqual(['a\u2400b\\u202ec\u2407'])
  })

  it('has the same text with and without spans', () => {
    for (const text of ['', 'a\n\nb\n\n', `x${ESC}[31m\ny`, 'tab\there', `${ESC}[`, `${ESC}`]) {
      expect(linesOf(text)).toEqual(spansOf(text).map((spans) => spans.map((span) => span.text).join('')))
    }
  })
})

describe('links', () => {
  it('finds addresses and leaves out what ends the sentence', () => {
    const text = 'see (https://a.b/c_(d)?e=1#f). or http://x.y:80/z, ok'
    expect(
      pieces(text)
        .filter((piece) => piece.href)
        .map((piece) => piece.href),
    ).toEqual(['https://a.b/c_(d)?e=1#f', 'http://x.y:80/z'])
    expect(
      pieces(text)
        .map((piece) => piece.text)
        .join(''),
    ).toBe(text)
  })

  it('links nothing that could do more than open a page', () => {
    for (const text of [
      'javascript://a.b/%0aalert(1)',
      'data:text/html,x',
      'https://',
      'file:///etc/passwd',
      'ftp://a.b',
    ]) {
      expect(pieces(text).every((piece) => !piece.href)).toBe(true)
    }
  })
})

describe('wrapping', () => {
  it('counts rows of narrow text by division', () => {
    expect([rowsOf('', 10), rowsOf('a'.repeat(10), 10), rowsOf('a'.repeat(11), 10), rowsOf('a'.repeat(99), 0)]).toEqual(
      [1, 1, 2, 1],
    )
    expect(breaks('a'.repeat(25), 10)).toEqual([10, 20])
  })

  it('gives wide characters two columns, marks none, and tabs what is left to the next stop', () => {
    expect([columnsOf('日本'), columnsOf('e\u0301'), columnsOf('👍'), columnsOf('ab\tc')]).toEqual([4, 1, 2, 9])
    expect(breaks('日本語', 5)).toEqual([2])
    expect(breaks('👍👍👍', 4)).toEqual([4])
    expect(rowsOf('a\tb', 8)).toBe(2)
  })

  it('agrees with itself: as many breaks as rows less one, all within the text', () => {
    const texts = ['plain', 'x'.repeat(1_000), '日'.repeat(77), 'a\t'.repeat(40), '→ “mixed” 日本 👍 text '.repeat(9)]
    for (const text of texts) {
      for (const columns of [1, 2, 7, 40, 333]) {
        const found = breaks(text, columns)
        expect(found.length + 1).toBe(rowsOf(text, columns))
        expect([...found].sort((a, b) => a - b)).toEqual(found)
        for (const place of found) expect(place > 0 && place < text.length).toBe(true)
      }
    }
  })
})

describe('segments', () => {
  it('cut at styles, links and marks, and give the slice back when joined', () => {
    const message = `${ESC}[31mERR${ESC}[0m at https://a.b/err end`
    const text = linesOf(message)[0]!
    const found = segmentsOf(text, 2, text.length - 1, spansOf(message)[0]!, 'err')
    expect(found.map((segment) => segment.text).join('')).toBe(text.slice(2, -1))
    // A match that began in the row before is marked here too.
    expect(found[0]).toMatchObject({ text: 'R', isMatch: true, style: { ink: 'red' } })
    expect(found.filter((segment) => segment.href).map((segment) => [segment.text, segment.isMatch])).toEqual([
      ['https://a.b/', false],
      ['err', true],
    ])
  })
})

it('ranks levels of one’s own with the named one below', () => {
  expect(['DEBUG', 'INFO', '25', '35', 'ERROR', '99', '5'].map(severityOf)).toEqual([
    'debug',
    'info',
    'info',
    'warning',
    'error',
    'critical',
    'debug',
  ])
})
