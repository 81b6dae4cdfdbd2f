import { useState } from 'react'
import styles from './Json.module.css'

interface JsonProps {
  value: unknown
  /** How many levels are open at first. */
  depth?: number
}

// A value of a million entries must not become a million elements.
const SHOWN = 100

/** JSON, readable and foldable; long lists show their beginning until asked for more. */
export function Json({ value, depth = 2 }: JsonProps) {
  return (
    <div className={styles.json}>
      <Value value={value} depth={depth} />
    </div>
  )
}

function Value({ value, depth }: { value: unknown; depth: number }) {
  if (typeof value !== 'object' || value === null) {
    return <span className={styles.leaf}>{JSON.stringify(value) ?? 'undefined'}</span>
  }
  const isList = Array.isArray(value)
  const entries = Object.entries(value)
  if (entries.length === 0) return <span className={styles.leaf}>{isList ? '[]' : '{}'}</span>
  return <Branch entries={entries} isList={isList} depth={depth} />
}

function Branch({ entries, isList, depth }: { entries: [string, unknown][]; isList: boolean; depth: number }) {
  const [isOpen, setOpen] = useState(depth > 0)
  const [shown, setShown] = useState(SHOWN)
  const [before, after] = isList ? ['[', ']'] : ['{', '}']
  const unit = isList ? (entries.length === 1 ? 'item' : 'items') : entries.length === 1 ? 'key' : 'keys'
  if (!isOpen) {
    return (
      <button type="button" className={styles.fold} aria-expanded="false" onClick={() => setOpen(true)}>
        {before} {entries.length} {unit} {after}
      </button>
    )
  }
  return (
    <>
      <button type="button" className={styles.fold} aria-expanded="true" onClick={() => setOpen(false)}>
        {before}
      </button>
      <div className={styles.inner}>
        {entries.slice(0, shown).map(([key, each]) => (
          <div key={key}>
            {!isList && <span className={styles.key}>{key}: </span>}
            <Value value={each} depth={depth - 1} />
          </div>
        ))}
        {entries.length > shown && (
          <button type="button" className={styles.fold} onClick={() => setShown(shown + 10 * SHOWN)}>
            … {entries.length - shown} more
          </button>
        )}
      </div>
      {after}
    </>
  )
}
