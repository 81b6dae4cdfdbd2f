/**
 * Where lines break, by arithmetic: the font is monospaced, so nothing has to be measured in the page. A character is
 * one column wide, or two (East Asian wide and emoji), or none (marks that combine).
 */

export const TAB = 8

const ALL_NARROW = /^[\u0020-\u02ff\u0370-\u058f\u2010-\u2027\u2190-\u21ff\u2500-\u259f]*$/
const NO_WIDTH = /^(?:\p{Mn}|\p{Me}|[\u200b\u200c]|\u200d|[\ufe00-\ufe0f])$/u

/** Where each row but the first begins, as offsets into the text. Empty when all fits, or when `columns` is 0. */
export function breaks(text: string, columns: number): number[] {
  if (columns <= 0 || (text.length <= columns && ALL_NARROW.test(text))) return []
  const found: number[] = []
  if (ALL_NARROW.test(text)) {
    for (let place = columns; place < text.length; place += columns) found.push(place)
    return found
  }
  let column = 0
  let place = 0
  for (const character of text) {
    const width = character === '\t' ? TAB - (column % TAB) : widthOf(character)
    if (column + width > columns && column > 0) {
      found.push(place)
      column = character === '\t' ? Math.min(TAB, columns) : width
    } else column += width
    place += character.length
  }
  return found
}

/** How many rows a text takes. */
export function rowsOf(text: string, columns: number): number {
  if (columns <= 0 || text.length === 0) return 1
  if (ALL_NARROW.test(text)) return Math.ceil(text.length / columns)
  return breaks(text, columns).length + 1
}

/** Columns that a text takes in one row. */
export function columnsOf(text: string): number {
  if (ALL_NARROW.test(text)) return text.length
  let column = 0
  for (const character of text) column += character === '\t' ? TAB - (column % TAB) : widthOf(character)
  return column
}

function widthOf(character: string): number {
  const code = character.codePointAt(0)!
  if (code < 0x300) return 1
  if (NO_WIDTH.test(character)) return 0
  const isWide =
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf && code !== 0x303f) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd)
  return isWide ? 2 : 1
}
