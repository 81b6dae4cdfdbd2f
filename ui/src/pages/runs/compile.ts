import type { Runs_Bool_Exp, String_Comparison_Exp } from '@/gql/graphql'
import type { Filter, Term } from './filter'
import { parseDuration, parseTimeRange, type Range } from './ranges'

/** Turn a filter into GraphQL's `where`; relative times count from `now` (ms). Problems are left out. */
export function compileFilter(filter: Filter, now: number, zone: string): Runs_Bool_Exp {
  const kind = filter.terms.find(({ key }) => key === 'kind')?.values[0] ?? 'flow'
  const conditions = [...compileKind(kind)]
  for (const term of filter.terms) {
    if (term.key === 'kind') continue
    const condition = compileTerm(term, now, zone)
    conditions.push(term.isNegated ? { _not: condition } : condition)
  }
  return conditions.length === 1 ? conditions[0]! : { _and: conditions }
}

function compileKind(kind: string): Runs_Bool_Exp[] {
  switch (kind) {
    case 'flow':
      return [{ kind: { _eq: 'flow' }, parent_id: { _is_null: true } }]
    case 'child':
      return [{ kind: { _eq: 'flow' }, parent_id: { _is_null: false } }]
    case 'task':
      return [{ kind: { _eq: 'task' } }]
    default:
      return []
  }
}

function compileTerm({ key, values }: Term, now: number, zone: string): Runs_Bool_Exp {
  switch (key) {
    case 'state':
      return { state: values.length === 1 ? { _eq: values[0]! } : { _in: values } }
    case 'flow':
      return anyOf(values.map((value) => ({ flow_name: comparison(value) })))
    case 'name':
      return anyOf(values.map((value) => ({ name: comparison(value) })))
    case 'tag':
      return anyOf(values.map((value) => ({ tags: { _contains: [value] } })))
    case 'started':
      return { started_at: between(parseTimeRange(values[0]!, now, zone)!, (ms) => new Date(ms).toISOString()) }
    case 'duration':
      return { duration_seconds: between(parseDuration(values[0]!)!, (seconds) => seconds) }
    default: {
      const part = { _ilike: `%${escapeLike(values[0]!)}%` }
      return { _or: [{ name: part }, { flow_name: part }] }
    }
  }
}

function anyOf(conditions: Runs_Bool_Exp[]): Runs_Bool_Exp {
  return conditions.length === 1 ? conditions[0]! : { _or: conditions }
}

function comparison(value: string): String_Comparison_Exp {
  return value.includes('*') ? { _like: value.split('*').map(escapeLike).join('%') } : { _eq: value }
}

function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&')
}

function between<T>(range: Range, write: (value: number) => T) {
  const { from, to, isFromOpen, isToClosed } = range
  return {
    ...(from !== undefined && { [isFromOpen ? '_gt' : '_gte']: write(from) }),
    ...(to !== undefined && { [isToClosed ? '_lte' : '_lt']: write(to) }),
  }
}
