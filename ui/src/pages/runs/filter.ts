import { STATE_NAMES } from '@/lib/states'
import { parseDuration, parseTimeRange } from './ranges'

/**
 * The filter language of the runs page: terms with blanks between them, all of which must hold.
 *
 *     state:failed,crashed flow:etl-* tag:prod started:>-24h duration:>10m -name:test* "free text"
 *
 * A list means any of these, `-` before a term means not, `*` stands for any text, quotes keep blanks and colons.
 */
export interface Filter {
  terms: Term[]
  problems: Problem[]
}

/** One condition, with its place in the text. */
export interface Term {
  key: Key | 'text'
  isNegated: boolean
  values: string[]
  start: number
  end: number
}

/** Something that cannot be read, with its place and what is allowed. */
export interface Problem {
  start: number
  end: number
  message: string
}

/** The keys, with what each one means. */
export const KEYS = {
  state: { about: 'where it stands', example: 'state:failed,crashed' },
  flow: { about: 'the flow; * is any text', example: 'flow:etl-*' },
  name: { about: 'the name of the run; * is any text', example: 'name:brisk-*' },
  tag: { about: 'one of its tags', example: 'tag:prod' },
  started: { about: 'when it began', example: 'started:>-24h' },
  duration: { about: 'how long it took, or so far', example: 'duration:>10m' },
  kind: { about: 'flow, child, task or any', example: 'kind:task' },
} as const

/** A key of the language. */
export type Key = keyof typeof KEYS

/** What `kind:` may say. Without it, flow runs that no other run called. */
export const KINDS = {
  flow: 'Flow runs',
  child: 'Flow runs called by runs',
  task: 'Task runs',
  any: 'All runs',
} as const

interface Token {
  start: number
  end: number
  /** Null where no key stands: free text. */
  key: string | null
  isNegated: boolean
  values: string[]
  isOpen: boolean
}

/** Read a filter. What cannot be read becomes a problem; this never throws. */
export function parseFilter(text: string): Filter {
  const terms: Term[] = []
  const problems: Problem[] = []
  for (const token of tokenize(text)) {
    const { start, end } = token
    const message = token.isOpen ? 'A quote is not closed.' : check(token)
    if (message) problems.push({ start, end, message })
    else
      terms.push({
        key: (token.key ?? 'text') as Term['key'],
        isNegated: token.isNegated,
        values: token.values,
        start,
        end,
      })
  }
  const kinds = terms.filter(({ key }) => key === 'kind')
  for (const { start, end } of kinds.slice(1)) problems.push({ start, end, message: 'kind: can be given once.' })
  return { terms, problems }
}

function check({ key, values, isNegated }: Token): string {
  if (key === null) return ''
  if (!(key in KEYS)) return `“${key}” is no key. Known: ${Object.keys(KEYS).join(', ')}. Quotes make it plain text.`
  if (values.some((value) => value === '')) return `${key}: needs a value, as in ${KEYS[key as Key].example}.`
  const only = (allowed: readonly string[]) => {
    const wrong = values.find((value) => !allowed.includes(value))
    return wrong === undefined ? '' : `“${wrong}” is no ${key}. Known: ${allowed.join(', ')}.`
  }
  const [first = ''] = values
  switch (key as Key) {
    case 'state':
      return only(STATE_NAMES)
    case 'kind':
      if (isNegated || values.length > 1) return 'kind: takes one of flow, child, task, any.'
      return only(Object.keys(KINDS))
    case 'started':
      if (values.length > 1) return 'started: takes one time; two terms make a range.'
      return parseTimeRange(first, Date.now(), 'UTC') ? '' : `“${first}” is no time. ${TIMES}`
    case 'duration':
      if (values.length > 1) return 'duration: takes one length; two terms make a range.'
      return parseDuration(first) ? '' : `“${first}” is no length of time. Say >10m, <1h30m, 500ms..2s.`
    default:
      return ''
  }
}

const TIMES = 'Say >-24h, today, yesterday, 2026-11-24, >2026-11-24T10:00, 2026-11-01..2026-11-15.'

/** Cut a text into tokens. Quotes may stand anywhere in a value. */
function* tokenize(text: string): Generator<Token> {
  let at = 0
  while (at < text.length) {
    if (/\s/.test(text[at]!)) {
      at += 1
      continue
    }
    const token = readToken(text, at)
    at = token.end
    yield token
  }
}

function readToken(text: string, start: number): Token {
  const head = /^(-?)(?:([A-Za-z_]+):)?/.exec(text.slice(start))!
  const key = head[2] ?? null
  // A minus alone, or before free text, is only a sign where something follows it.
  const isNegated = head[1] === '-' && start + 1 < text.length && !/\s/.test(text[start + 1]!)
  let at = start + (isNegated ? 1 : 0) + (key === null ? 0 : key.length + 1)
  const values: string[] = []
  let value = ''
  let isQuoted = false
  for (; at < text.length; at += 1) {
    const char = text[at]!
    if (isQuoted && char === '\\' && at + 1 < text.length) {
      at += 1
      value += text[at]
    } else if (char === '"') isQuoted = !isQuoted
    else if (isQuoted) value += char
    else if (/\s/.test(char)) break
    else if (char === ',' && key !== null) {
      values.push(value)
      value = ''
    } else value += char
  }
  values.push(value)
  return { start, end: at, key: key?.toLowerCase() ?? null, isNegated, values, isOpen: isQuoted }
}

/** Write one term so that it is read back as the same. */
export function formatTerm({ key, isNegated, values }: Pick<Term, 'key' | 'isNegated' | 'values'>): string {
  const text = values.map(quote).join(',')
  const sign = isNegated ? '-' : ''
  // Free text that looks like a term, or is empty, must be quoted as a whole.
  if (key === 'text')
    return sign + (/^-|^[A-Za-z_]+:|^$/.test(values[0] ?? '') && !text.startsWith('"') ? `"${text}"` : text)
  return `${sign}${key}:${text}`
}

function quote(value: string): string {
  if (value !== '' && !/[\s",\\]/.test(value)) return value
  return `"${value.replace(/[\\"]/g, '\\$&')}"`
}

/** Replace what a key says in a text by these values; none removes it. The other terms stay as they were written. */
export function withValues(text: string, key: Key, values: readonly string[]): string {
  const { terms, problems } = parseFilter(text)
  const others = terms.filter((term) => term.key !== key || term.isNegated)
  const kept = [...others, ...problems]
    .sort((a, b) => a.start - b.start)
    .map(({ start, end }) => text.slice(start, end))
  if (values.length) kept.unshift(formatTerm({ key, isNegated: false, values: [...values] }))
  return kept.join(' ')
}

/** The values of a key that are asked for, from all its terms. */
export function valuesOf(filter: Filter, key: Key): string[] {
  return filter.terms.filter((term) => term.key === key && !term.isNegated).flatMap(({ values }) => values)
}
