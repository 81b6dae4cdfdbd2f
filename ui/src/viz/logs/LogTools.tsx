import { ArrowDown, ArrowUp, Download, ListFilter, Search, WrapText, X } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { useKeys } from '@/lib/keys'
import { formatCount } from '@/lib/time'
import { Button } from '@/ui/Button'
import { Menu, MenuChoice, MenuLine } from '@/ui/Menu'
import type { Source } from './feed'
import { textOfLine } from './LogRow'
import type { LogChoice } from './LogView'
import styles from './LogView.module.css'
import { entryOf, LEVELS } from './lines'
import { type LogFilter, MOST_MATCHES, readAll } from './source'

interface LogToolsProps {
  choice: LogChoice
  onChoice: (change: Partial<LogChoice>) => void
  filter: LogFilter
  tasks: readonly string[]
  /** How many lines there are; null when nobody knows. */
  count: number | null
  matches: readonly number[] | null
  onStep: (by: 1 | -1) => void
  isWrapped: boolean
  onWrapped: (isWrapped: boolean) => void
  source: () => Source
  fileName: string
  hasKeys?: boolean
}

const MOST_TASKS = 200 // in the menu

/** Search, filters, wrapping and download above the lines. */
export function LogTools(props: LogToolsProps) {
  const { choice, onChoice, tasks, count, isWrapped, onWrapped } = props
  const level = LEVELS.find((each) => each.name === choice.level)?.name ?? 'DEBUG'
  const names = tasks.slice(0, MOST_TASKS).map((name) => [name, name] as const)
  const isFiltered = level !== 'DEBUG' || Boolean(choice.task)
  return (
    <div className={styles.tools}>
      <SearchField {...props} />
      <Menu
        trigger={
          <Button size="small" look="plain" title="Filter lines" aria-pressed={isFiltered}>
            <ListFilter size={14} strokeWidth={1.5} aria-hidden="true" />
            {level === 'DEBUG' ? 'All levels' : LEVELS.find((each) => each.name === level)!.word}
          </Button>
        }
      >
        <MenuChoice
          label="Level"
          value={level}
          options={LEVELS.map(({ name, word }) => [name, word] as const)}
          onChange={(name) => onChoice({ level: name === 'DEBUG' ? undefined : name, line: undefined })}
        />
        {names.length > 0 && <MenuLine />}
        {names.length > 0 && (
          <MenuChoice
            label="Task"
            value={choice.task ?? ''}
            options={[['', 'All tasks'], ...names]}
            onChange={(task) => onChoice({ task: task || undefined, line: undefined })}
          />
        )}
      </Menu>
      {choice.task && (
        <Button
          size="small"
          className={styles.chip}
          onClick={() => onChoice({ task: undefined })}
          aria-label={`Show more than ${choice.task}`}
        >
          {choice.task}
          <X size={12} strokeWidth={2} aria-hidden="true" />
        </Button>
      )}
      <span className={styles.gap} />
      {count !== null && count > 0 && (
        <span className={styles.count}>
          {formatCount(count)} {count === 1 ? 'line' : 'lines'}
        </span>
      )}
      <Button
        size="small"
        look="plain"
        aria-pressed={isWrapped}
        aria-label="Wrap lines"
        title="Wrap lines"
        onClick={() => onWrapped(!isWrapped)}
      >
        <WrapText size={14} strokeWidth={1.5} />
      </Button>
      <DownloadButton {...props} />
    </div>
  )
}

function SearchField({ choice, onChoice, matches, onStep, hasKeys }: LogToolsProps) {
  const input = useRef<HTMLInputElement>(null)
  const asked = choice.q ?? ''
  const [text, setText] = useState(asked)
  useEffect(() => setText(asked), [asked])
  // The server searches: it is asked when the person pauses.
  useEffect(() => {
    if (text === asked) return
    const timer = setTimeout(() => onChoice({ q: text || undefined, line: undefined }), 250)
    return () => clearTimeout(timer)
  }, [text, asked, onChoice])
  useKeys(hasKeys ? { '/': { label: 'Search the log', run: () => input.current?.select() } } : {}, { scope: 'Log' })
  const press = (event: React.KeyboardEvent) => {
    if (event.key === 'Escape') {
      if (text) onChoice({ q: undefined, isMatchesOnly: false })
      setText('')
      input.current?.blur()
    } else if (event.key === 'Enter') {
      if (text === asked) onStep(event.shiftKey ? -1 : 1)
      else onChoice({ q: text || undefined, line: undefined })
    } else return
    event.preventDefault()
  }
  return (
    <div className={styles.search}>
      <Search size={14} strokeWidth={1.5} aria-hidden="true" />
      <input
        ref={input}
        type="search"
        value={text}
        placeholder="Search"
        aria-label="Search the log"
        spellCheck={false}
        autoComplete="off"
        maxLength={1_000}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={press}
      />
      {matches && text === asked && (
        <>
          <span className={styles.found} role="status">
            {foundText(matches, choice.line)}
          </span>
          <Button
            look="plain"
            size="small"
            aria-label="Previous match"
            onClick={() => onStep(-1)}
            disabled={!matches.length}
          >
            <ArrowUp size={14} strokeWidth={1.5} />
          </Button>
          <Button
            look="plain"
            size="small"
            aria-label="Next match"
            onClick={() => onStep(1)}
            disabled={!matches.length}
          >
            <ArrowDown size={14} strokeWidth={1.5} />
          </Button>
          <Button
            look="plain"
            size="small"
            aria-pressed={choice.isMatchesOnly ?? false}
            onClick={() => onChoice({ isMatchesOnly: !choice.isMatchesOnly })}
            title="Show only the lines that match"
          >
            only
          </Button>
        </>
      )}
    </div>
  )
}

function foundText(matches: readonly number[], line: number | undefined): string {
  if (!matches.length) return 'none'
  const total = `${formatCount(matches.length)}${matches.length >= MOST_MATCHES ? '+' : ''}`
  const place = line === undefined ? -1 : matches.indexOf(line)
  return place < 0 ? total : `${formatCount(place + 1)} of ${total}`
}

function DownloadButton({ source, fileName }: LogToolsProps) {
  const [done, setDone] = useState<number | null>(null)
  const [problem, setProblem] = useState('')
  const aborter = useRef<AbortController | null>(null)
  useEffect(() => () => aborter.current?.abort(), [])
  const start = async () => {
    if (aborter.current) return
    aborter.current = new AbortController()
    setProblem('')
    setDone(0)
    const parts: string[] = []
    let count = 0
    try {
      await readAll(source(), aborter.current.signal, (lines) => {
        parts.push(`${lines.map((line) => textOfLine(entryOf(line))).join('\n')}\n`)
        count += lines.length
        setDone(count)
      })
      save(new Blob(parts, { type: 'text/plain;charset=utf-8' }), fileName)
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error))
    } finally {
      aborter.current = null
      setDone(null)
    }
  }
  const label = problem || 'Download these lines'
  return (
    <Button size="small" look="plain" onClick={start} aria-label={label} title={label} disabled={done !== null}>
      {done ? formatCount(done) : <Download size={14} strokeWidth={1.5} />}
      {problem && ' failed'}
    </Button>
  )
}

function save(content: Blob, name: string): void {
  const url = URL.createObjectURL(content)
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
