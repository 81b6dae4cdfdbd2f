/** What states, labels and causes mean, in sentences for people, and what one can do about them. */
import raw from '@/gql/states.json'

const LABELS: Record<string, string> = Object.fromEntries(raw.labels.map(({ label, about }) => [label, about]))

const CAUSES: Record<string, string> = {
  user_error: 'The code raised an exception.',
  timeout: 'It ran longer than its timeout_seconds.',
  cancelled: 'A person or another run asked it to stop.',
  oom: 'The kernel killed it for memory.',
  evicted: 'The cluster evicted it.',
  node_lost: 'The machine under it is gone.',
  image_pull: 'Its image could not be pulled.',
  unschedulable: 'No machine fits it.',
  signal: 'A signal that Stellwerk did not send ended it.',
  exited: 'Its process or code exited by itself.',
  code_load: 'Its code could not be loaded.',
  lease_lost: 'The process that ran it is gone, or was not heard from for too long.',
  agent_bug: 'Stellwerk’s own agent failed.',
}

/** What to do about a cause; the command to start it again is shown beside. */
const ADVICE: Record<string, string> = {
  oom: 'Give it more memory or smaller parts, then start it again.',
  signal: 'See who or what sends signals on that machine, then start it again.',
  exited: 'See what it logged last, then start it again.',
  code_load: 'See that the file is where it was and can be imported, then start it again.',
  lease_lost: 'Its code did nothing wrong as far as is known. Start it again.',
}

interface Stand {
  state: string
  label?: string | null
  cause?: string | null
  evidence?: string | null
}

/** Say why a run stands where it stands; empty when there is nothing to explain. */
export function whyOf({ state, label, cause, evidence }: Stand): string {
  const about = label ? LABELS[label] : undefined
  // An exception speaks for itself, and where there is a label, it says what the cause says, or more.
  const meaning = about ? sentence(about) : cause && cause !== 'user_error' ? causeOf(cause) : ''
  if (meaning && evidence) return `${meaning.replace(/\.$/, '')}: ${evidence.replace(/\.$/, '')}.`
  if (meaning) return meaning
  if (evidence) return sentence(evidence)
  if (state === 'scheduled') return 'It waits to be started.'
  if (state === 'paused') return 'It was paused; it goes on when it is resumed.'
  if (state === 'cancelling') return 'It was asked to stop and is stopping.'
  return ''
}

/** Say what a cause means. */
export function causeOf(cause: string): string {
  return CAUSES[cause] ?? `${sentence(cause.replaceAll('_', ' '))}`
}

/** Say what to do about a run that crashed. */
export function adviceOf(cause: string | null | undefined): string {
  return (cause && ADVICE[cause]) || 'Start it again once the cause is out of the way.'
}

/** Begin with a capital letter and end with a full stop. */
export function sentence(text: string): string {
  const begun = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`
}

/** The command that starts a flow again as a new run; null when its file is not known. */
export function commandOf(run: {
  flow_name?: string | null
  source?: { name: string; file?: string | null } | null
  parameters?: unknown
}): string | null {
  const file = run.source?.file
  if (!file || !/\.py$/.test(file)) return null
  const flow = /^[\w.]+$/.test(run.source?.name ?? '') ? `:${run.source!.name.split('.').at(-1)}` : ''
  const given = Object.entries((run.parameters as Record<string, unknown> | null) ?? {})
  const values = given.map(([name, value]) => `-p ${quoted(`${name}=${JSON.stringify(value)}`)}`)
  // Long parameters would hide the command; then it is for the person to give them.
  const told = values.join(' ').length <= 160 ? values : []
  return ['stellwerk run', quoted(file + flow), ...told].join(' ')
}

/** Quote a word for a POSIX shell, where needed. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
