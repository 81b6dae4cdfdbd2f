import { useMemo, useState } from 'react'
import styles from './Traceback.module.css'
import { type FrameLine, foldLibraries, type Part, readTraceback, withoutEnds } from './traceback'
import type { RunError } from './useRun'

/** A traceback: the person's own frames stand out, those of libraries are folded. */
export function Traceback({ error }: { error: RunError }) {
  const parts = useMemo(() => foldLibraries(withoutEnds(readTraceback(error.traceback), error)), [error])
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set())
  const open = (place: number) => setOpened(new Set([...opened, place]))
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling box needs the focus to be scrolled by keys
    <div className={styles.traceback} role="group" aria-label="Traceback" tabIndex={0}>
      {parts.map((part, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a traceback never changes
        <PartView key={place} part={part} isOpen={opened.has(place)} onOpen={() => open(place)} />
      ))}
    </div>
  )
}

function PartView({ part, isOpen, onOpen }: { part: Part; isOpen: boolean; onOpen: () => void }) {
  if (part.kind === 'text') {
    // The heading says nothing that a traceback does not show; between two of them the line tells how they belong.
    if (part.text.startsWith('Traceback (most recent call last)')) return null
    return <div className={styles.text}>{part.text || '\u00a0'}</div>
  }
  if (part.kind === 'frame') return <Frame frame={part} />
  if (isOpen) {
    return part.frames.map((frame, place) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: as above
      <Frame key={place} frame={frame} />
    ))
  }
  const { length } = part.frames
  return (
    <button type="button" className={styles.folded} onClick={onOpen}>
      … {length} {length === 1 ? 'frame' : 'frames'} of libraries
    </button>
  )
}

function Frame({ frame }: { frame: FrameLine }) {
  const { folder, name } = split(frame.file)
  return (
    <div className={frame.isLibrary ? styles.library : styles.own}>
      <div className={styles.place}>
        <span className={styles.folder}>{folder}</span>
        <span className={styles.file}>{name}</span>
        <span className={styles.folder}>:{frame.line}</span>
        {frame.name && <span className={styles.folder}> in </span>}
        {frame.name && <span className={styles.name}>{frame.name}</span>}
      </div>
      {frame.code.length > 0 && <pre className={styles.code}>{frame.code.map((line) => line.slice(4)).join('\n')}</pre>}
    </div>
  )
}

function split(file: string): { folder: string; name: string } {
  const end = Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1
  return { folder: file.slice(0, end), name: file.slice(end) }
}
