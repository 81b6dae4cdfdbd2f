import { useState } from 'react'
import { formatRelative, formatTime, type Moment, type TimeStyle, toMillis, useZone, zoneLabel } from '@/lib/time'
import styles from './Time.module.css'

interface TimeProps extends TimeStyle {
  at: Moment | null | undefined
  /** Write the zone behind it; else it is told on hover. */
  withZone?: boolean
}

/** A moment in the chosen zone. Hovering tells the date, the zone and how long ago; a click copies ISO 8601. */
export function Time({ at, withZone = false, ...style }: TimeProps) {
  const zone = useZone()
  const [isCopied, setCopied] = useState(false)
  if (at == null || Number.isNaN(toMillis(at))) return <span className={styles.none}>–</span>
  const iso = typeof at === 'string' ? at : new Date(toMillis(at)).toISOString()
  const copy = async (event: React.MouseEvent) => {
    event.preventDefault()
    await navigator.clipboard.writeText(iso)
    setCopied(true)
    setTimeout(() => setCopied(false), 1200)
  }
  // Worked out when the pointer comes, so that a resting page does not count seconds.
  const explain = (event: React.SyntheticEvent<HTMLElement>) => {
    const full = `${formatTime(at, zone, { millis: true, date: true })} ${zoneLabel(at, zone)}`
    event.currentTarget.title = `${full}\n${formatRelative(at)}\n${iso}\nClick to copy`
  }
  return (
    <button type="button" className={styles.time} onClick={copy} onPointerEnter={explain} onFocus={explain}>
      <time dateTime={iso}>{isCopied ? 'copied' : formatTime(at, zone, style)}</time>
      {withZone && !isCopied && <span className={styles.zone}> {zoneLabel(at, zone)}</span>}
    </button>
  )
}
