import { Check, Copy } from 'lucide-react'
import { useState } from 'react'
import { Button } from './Button'

/** Copies a text; the sign turns into a check for a moment. */
export function CopyButton({ text, label = 'Copy' }: { text: string | (() => string); label?: string }) {
  const [isDone, setDone] = useState(false)
  const copy = async () => {
    await navigator.clipboard.writeText(typeof text === 'string' ? text : text())
    setDone(true)
    setTimeout(() => setDone(false), 1500)
  }
  return (
    <Button look="plain" size="small" onClick={copy} aria-label={isDone ? 'Copied' : label} title={label}>
      {isDone ? <Check size={14} strokeWidth={1.8} /> : <Copy size={14} strokeWidth={1.5} />}
    </Button>
  )
}
