/** Log lines as the server sends them, and as the viewer keeps them. */
import { linesOf } from './ansi'

/** One line of `GET /api/runs/{id}/logs`. A message may hold several lines of text. */
export interface LogLine {
  n: number
  at: string
  level: string
  logger: string
  message: string
  run_id: string
  run: string
  attempt: number
}

export type Severity = 'debug' | 'info' | 'warning' | 'error' | 'critical'

/** A log line made ready: `parts` are the lines of its message as plain text. */
export interface Entry {
  n: number
  at: string
  level: string
  severity: Severity
  logger: string
  message: string
  parts: string[]
  runId: string
  run: string
  attempt: number
}

export function entryOf(line: LogLine): Entry {
  return {
    n: line.n,
    at: line.at,
    level: line.level,
    severity: severityOf(line.level),
    logger: line.logger,
    message: line.message,
    parts: linesOf(line.message),
    runId: line.run_id,
    run: line.run,
    attempt: line.attempt,
  }
}

const NUMBERS: Record<string, number> = { DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40, CRITICAL: 50 }

/** Levels of one's own come as numbers; each belongs to the named level at or below it. */
export function severityOf(level: string): Severity {
  const number = NUMBERS[level] ?? Number(level)
  if (number >= 50) return 'critical'
  if (number >= 40) return 'error'
  if (number >= 30) return 'warning'
  if (number >= 20) return 'info'
  return 'debug'
}

/** The levels one can filter by, with the number the server is asked for. */
export const LEVELS = [
  { name: 'DEBUG', number: 0, word: 'All levels' },
  { name: 'INFO', number: 20, word: 'Info and above' },
  { name: 'WARNING', number: 30, word: 'Warnings and errors' },
  { name: 'ERROR', number: 40, word: 'Errors only' },
] as const

export function levelNumber(name: string | undefined): number {
  return LEVELS.find((level) => level.name === name?.toUpperCase())?.number ?? 0
}
