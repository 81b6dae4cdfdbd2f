/**
 * Text as programs print it for terminals, made ready for a page: colours become named styles, everything else that a
 * terminal would obey is taken out or shown. What a log line says must never hide or reorder what stands beside it.
 */

export type Hue = 'black' | 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan' | 'white'

export interface Style {
  ink?: Hue
  paper?: Hue
  isBold?: boolean
  isDim?: boolean
  isItalic?: boolean
  isUnderlined?: boolean
  isStruck?: boolean
  isInverse?: boolean
}

export interface Span {
  text: string
  style: Style | null
}

const HUES: Hue[] = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white']

const ESC = '\u001b'
// CSI (…m is a style), OSC up to BEL or ST, and the two-character sequences.
const SEQUENCE = new RegExp(
  `${ESC}\\[([0-9;:?<=>]*)[ -/]*([@-~])|${ESC}\\][^\\u0007${ESC}]*(?:\\u0007|${ESC}\\\\)|${ESC}[ -/]*[0-~]?`,
  'g',
)
// C0 and C1 controls but tab and newline, and characters that reorder or hide text.
const HARM =
  '[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u200e\\u200f\\u202a-\\u202e\\u2028\\u2029\\u2066-\\u2069\\ufeff]'
const HARMFUL = new RegExp(HARM, 'g')
const SUSPECT = new RegExp(HARM)

/** Whether a message holds anything that `spansOf` would treat. */
export function isPlain(text: string): boolean {
  return !SUSPECT.test(text)
}

/** Split a message into its lines, as plain text: what is shown, searched for and copied. */
export function linesOf(message: string): string[] {
  const text = message.endsWith('\n') ? message.replace(/(\r?\n)+$/, '') : message
  if (isPlain(text)) return text.includes('\n') ? text.split('\n') : [text]
  return spansOf(text).map((spans) => spans.map((span) => span.text).join(''))
}

/** Split a message into its lines, each a list of spans of one style. The texts are those of `linesOf`. */
export function spansOf(message: string): Span[][] {
  const text = message.endsWith('\n') ? message.replace(/(\r?\n)+$/, '') : message
  const lines: Span[][] = [[]]
  let style: Style | null = null
  let from = 0
  for (const found of text.matchAll(SEQUENCE)) {
    write(lines, text.slice(from, found.index), style)
    from = found.index + found[0].length
    if (found[2] === 'm') style = styled(style, found[1] ?? '')
  }
  write(lines, text.slice(from), style)
  return lines
}

/** Add text in one style; a carriage return begins the line anew, as progress bars do. */
function write(lines: Span[][], text: string, style: Style | null): void {
  if (!text) return
  text.split(/\r?\n/).forEach((line, place) => {
    if (place > 0) lines.push([])
    const last = lines.length - 1
    const begun = line.replace(/\r+$/, '').lastIndexOf('\r')
    if (begun >= 0) lines[last] = []
    const shown = line
      .slice(begun + 1)
      .replace(/\r/g, '')
      .replace(HARMFUL, visible)
    if (shown) lines[last]!.push({ text: shown, style })
  })
}

function visible(character: string): string {
  const code = character.charCodeAt(0)
  if (code < 0x20) return String.fromCharCode(0x2400 + code)
  return `\\u${code.toString(16).padStart(4, '0')}`
}

/** Apply one `ESC [ … m`. */
function styled(before: Style | null, parameters: string): Style | null {
  const codes = parameters.split(/[;:]/).map((code) => Number(code || 0))
  let style: Style = { ...before }
  for (let place = 0; place < codes.length; place++) {
    const code = codes[place]!
    if (code === 0) style = {}
    else if (code === 1) style.isBold = true
    else if (code === 2) style.isDim = true
    else if (code === 3) style.isItalic = true
    else if (code === 4) style.isUnderlined = true
    else if (code === 7) style.isInverse = true
    else if (code === 9) style.isStruck = true
    else if (code === 22) style = { ...style, isBold: undefined, isDim: undefined }
    else if (code === 23) style.isItalic = undefined
    else if (code === 24) style.isUnderlined = undefined
    else if (code === 27) style.isInverse = undefined
    else if (code === 29) style.isStruck = undefined
    else if (code === 39) style.ink = undefined
    else if (code === 49) style.paper = undefined
    else if (code === 38 || code === 48) {
      const [hue, used] = extended(codes.slice(place + 1))
      if (code === 38) style.ink = hue
      else style.paper = hue
      place += used
    } else if (code >= 30 && code <= 37) style.ink = HUES[code - 30]
    else if (code >= 90 && code <= 97) style.ink = HUES[code - 90]
    else if (code >= 40 && code <= 47) style.paper = HUES[code - 40]
    else if (code >= 100 && code <= 107) style.paper = HUES[code - 100]
  }
  return Object.values(style).some((value) => value !== undefined) ? style : null
}

/** Read `5;n` or `2;r;g;b`: any colour becomes the nearest of eight, which are legible in both themes. */
function extended(codes: number[]): [Hue | undefined, number] {
  if (codes[0] === 5) {
    const n = codes[1] ?? 0
    if (n < 16) return [HUES[n % 8], 2]
    if (n >= 232) return [n < 244 ? 'black' : 'white', 2]
    const step = (value: number) => (value ? 55 + value * 40 : 0)
    return [nearest(step(Math.floor((n - 16) / 36)), step(Math.floor((n - 16) / 6) % 6), step((n - 16) % 6)), 2]
  }
  if (codes[0] === 2) return [nearest(codes[1] ?? 0, codes[2] ?? 0, codes[3] ?? 0), 4]
  return [undefined, 0]
}

function nearest(red: number, green: number, blue: number): Hue {
  const most = Math.max(red, green, blue)
  const least = Math.min(red, green, blue)
  if (most - least < 40) return most < 128 ? 'black' : 'white'
  const middle = (most + least) / 2
  const bits = (red > middle ? 1 : 0) + (green > middle ? 2 : 0) + (blue > middle ? 4 : 0)
  return HUES[bits]!
}
