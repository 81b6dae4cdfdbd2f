import { Search, X } from 'lucide-react'
import { useEffect, useId, useRef, useState } from 'react'
import { useKeys } from '@/lib/keys'
import { Button } from '@/ui/Button'
import styles from './FilterInput.module.css'
import { parseFilter } from './filter'
import { type Known, type Suggestion, suggest } from './suggest'

// Long enough for the next letter, short enough not to be felt.
const PAUSE = 200

interface FilterInputProps {
  value: string
  known: Known
  /** Somebody is about to type, so what is known will be needed. */
  onBegin: () => void
  onChange: (text: string) => void
}

/** The field for the filter: applied while one types as far as it can be read, with suggestions below. */
export function FilterInput({ value, known, onBegin, onChange }: FilterInputProps) {
  const [draft, setDraft] = useState(value)
  const [cursor, setCursor] = useState<number | null>(null)
  const [chosen, setChosen] = useState(-1)
  const input = useRef<HTMLInputElement>(null)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const sent = useRef(value)
  const id = useId()
  useKeys({ '/': { label: 'Filter', run: () => input.current?.focus() } }, { scope: 'Runs' })

  // A chip, a link or the back button has changed it; what this field itself sent is no news.
  useEffect(() => {
    if (value === sent.current) return
    sent.current = value
    setDraft(value)
  }, [value])
  useEffect(() => () => clearTimeout(timer.current), [])

  const { problems } = parseFilter(draft)
  const options = cursor === null ? [] : suggest(draft, cursor, known)
  // What may still become a word of the language is no mistake yet; what stands elsewhere is.
  const mistakes = problems.filter(({ start, end }) => !options.length || cursor! < start || cursor! > end)
  const isWrong = mistakes.length > 0
  const send = (typed: string) => {
    clearTimeout(timer.current)
    const text = typed.trim()
    if (parseFilter(text).problems.length || text === sent.current) return
    sent.current = text
    onChange(text)
  }
  const type = (text: string, at: number) => {
    setDraft(text)
    setCursor(at)
    setChosen(-1)
    clearTimeout(timer.current)
    timer.current = setTimeout(() => send(text), PAUSE)
  }
  const accept = ({ from, insert }: Suggestion) => {
    const at = from + insert.length
    const text = draft.slice(0, from) + insert + draft.slice(cursor ?? draft.length).trimStart()
    type(text, at)
    // The cursor can be set once React has written the text.
    requestAnimationFrame(() => input.current?.setSelectionRange(at, at))
  }
  const clear = () => {
    setDraft('')
    send('')
  }
  const press = (event: React.KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    const option = options[chosen]
    if (step && options.length) {
      setChosen((chosen + step + options.length + 1) % (options.length + 1) || (step > 0 && chosen < 0 ? 0 : -1))
    } else if (option && (event.key === 'Enter' || event.key === 'Tab')) accept(option)
    else if (event.key === 'Enter') {
      setCursor(null)
      send(draft)
      return
    } else if (event.key === 'Escape' && options.length) setCursor(null)
    else if (event.key === 'Escape') input.current?.blur()
    else return
    event.preventDefault()
  }
  return (
    <search className={styles.search}>
      <div className={styles.field}>
        <Search size={14} strokeWidth={1.5} aria-hidden="true" />
        <input
          ref={input}
          className={styles.input}
          value={draft}
          placeholder="Filter: state:failed flow:etl-* started:>-24h"
          aria-label="Filter runs"
          aria-invalid={isWrong}
          aria-describedby={isWrong ? `${id}-problem` : undefined}
          role="combobox"
          aria-autocomplete="list"
          aria-expanded={options.length > 0}
          aria-controls={`${id}-list`}
          aria-activedescendant={chosen >= 0 ? `${id}-${chosen}` : undefined}
          spellCheck={false}
          autoCapitalize="none"
          autoComplete="off"
          onChange={(event) => type(event.target.value, event.target.selectionStart ?? event.target.value.length)}
          onSelect={(event) => setCursor(event.currentTarget.selectionStart)}
          onFocus={onBegin}
          onBlur={() => setCursor(null)}
          onKeyDown={press}
        />
        {draft ? (
          <Button look="plain" size="small" aria-label="Clear the filter" onClick={clear}>
            <X size={14} strokeWidth={1.5} />
          </Button>
        ) : (
          <kbd>/</kbd>
        )}
      </div>
      {/* The list stays in the page while it is empty, so that aria-controls always leads somewhere. */}
      <div
        id={`${id}-list`}
        className={styles.list}
        role="listbox"
        aria-label="Suggestions"
        hidden={options.length === 0}
      >
        {options.map((option, index) => (
          <div
            key={option.text}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === chosen}
            className={styles.option}
            // Before the blur that would close the list.
            onPointerDown={(event) => {
              event.preventDefault()
              accept(option)
            }}
          >
            <span className={styles.text}>{option.text}</span>
            <span className={styles.about}>{option.about}</span>
          </div>
        ))}
      </div>
      {isWrong && (
        <p id={`${id}-problem`} className={styles.problem} role="status">
          {mistakes.map(({ message }) => message).join(' ')}
        </p>
      )}
    </search>
  )
}
