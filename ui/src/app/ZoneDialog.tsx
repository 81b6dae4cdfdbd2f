import { useState } from 'react'
import { setSetting } from '@/lib/settings'
import { formatTime, zoneLabel } from '@/lib/time'
import { Dialog } from '@/ui/Dialog'
import styles from './ZoneDialog.module.css'

// Browsers list some cities under names that they no longer have, and know the present ones without listing them.
const RENAMED = [
  'Africa/Asmara',
  'America/Nuuk',
  'Asia/Ho_Chi_Minh',
  'Asia/Kathmandu',
  'Asia/Kolkata',
  'Asia/Yangon',
  'Atlantic/Faroe',
  'Europe/Kyiv',
  'Pacific/Chuuk',
  'Pacific/Kanton',
  'Pacific/Pohnpei',
]
const ZONES = [...new Set([...Intl.supportedValuesOf('timeZone'), ...RENAMED.filter(isKnown)])].sort()
const SHOWN = 60

function isKnown(zone: string): boolean {
  try {
    return Boolean(Intl.DateTimeFormat('en', { timeZone: zone }))
  } catch {
    return false
  }
}

/** Choose any zone by a part of its name. */
export function ZoneDialog({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState('')
  const wanted = text.trim().toLowerCase().replaceAll(' ', '_')
  const found = ZONES.filter((zone) => zone.toLowerCase().includes(wanted))
  const now = Date.now() * 1000
  const choose = (zone: string) => {
    setSetting('zone', zone)
    onClose()
  }
  return (
    <Dialog title="Show times in" isOpen onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (found[0]) choose(found[0])
        }}
      >
        <input
          className={styles.input}
          type="search"
          value={text}
          onChange={(event) => setText(event.target.value)}
          placeholder="Berlin, New York, Asia …"
          aria-label="Part of the zone's name"
        />
      </form>
      <ul className={styles.list}>
        {found.slice(0, SHOWN).map((zone) => (
          <li key={zone}>
            <button type="button" className={styles.zone} onClick={() => choose(zone)}>
              <span>{zone.replaceAll('_', ' ')}</span>
              <span className={styles.time}>
                {formatTime(now, zone, { seconds: false, date: false })} {zoneLabel(now, zone)}
              </span>
            </button>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p>No zone has “{text}” in its name.</p>}
      {found.length > SHOWN && <p className={styles.more}>{found.length - SHOWN} more; type to narrow them down.</p>}
    </Dialog>
  )
}
