import { STATES } from '@/lib/states'
import { KEYS, type Key, KINDS } from './filter'

/** One way to go on typing. */
export interface Suggestion {
  /** What stands in the list. */
  text: string
  about: string
  /** What replaces the text from `from` to the cursor. */
  insert: string
  from: number
}

/** What is known of the values that occur. */
export interface Known {
  flows: readonly string[]
  tags: readonly string[]
}

const SHOWN = 8
const PRESETS: Partial<Record<Key, readonly [string, string][]>> = {
  state: STATES.map(({ state }) => [state, '']),
  kind: Object.entries(KINDS).map(([kind, about]) => [kind, about]),
  started: [
    ['>-1h', 'within the last hour'],
    ['>-24h', 'within the last 24 hours'],
    ['today', ''],
    ['yesterday', ''],
    ['>-7d', 'within the last 7 days'],
  ],
  duration: [
    ['>1m', 'longer than a minute'],
    ['>10m', 'longer than ten minutes'],
    ['>1h', 'longer than an hour'],
    ['<1s', 'shorter than a second'],
  ],
}

/** Suggest how the word at the cursor may go on: a key, or a value of its key. */
export function suggest(text: string, cursor: number, known: Known): Suggestion[] {
  const before = text.slice(0, cursor)
  const word = /(?:[^\s"]|"[^"]*"?)*$/.exec(before)![0]
  const found = /^(-?)([A-Za-z_]+):(.*)$/.exec(word)
  if (!found) return suggestKeys(word, cursor)
  const [, , name, values] = found
  const key = name!.toLowerCase() as Key
  if (!(key in KEYS)) return []
  const last = values!.slice(values!.lastIndexOf(',') + 1)
  const taken = values!.split(',').slice(0, -1)
  const wanted = last.replaceAll('"', '').toLowerCase()
  const options: readonly [string, string][] =
    key === 'flow' ? pairs(known.flows) : key === 'tag' ? pairs(known.tags) : (PRESETS[key] ?? [])
  return options
    .filter(([value]) => value.toLowerCase().includes(wanted) && !taken.includes(value) && value !== last)
    .sort(([a], [b]) => Number(b.toLowerCase().startsWith(wanted)) - Number(a.toLowerCase().startsWith(wanted)))
    .slice(0, key === 'state' ? STATES.length : SHOWN)
    .map(([value, about]) => {
      const insert = /[\s",]/.test(value) ? `"${value.replace(/[\\"]/g, '\\$&')}"` : value
      return { text: value, about, insert: `${insert} `, from: cursor - last.length }
    })
}

function suggestKeys(word: string, cursor: number): Suggestion[] {
  const sign = word.startsWith('-') ? '-' : ''
  const wanted = word.slice(sign.length).toLowerCase()
  return Object.entries(KEYS)
    .filter(([key]) => key.startsWith(wanted))
    .map(([key, { about, example }]) => ({
      text: `${key}:`,
      about: `${about}, as in ${example}`,
      insert: `${key}:`,
      from: cursor - wanted.length,
    }))
}

function pairs(values: readonly string[]): [string, string][] {
  return values.map((value) => [value, ''])
}
