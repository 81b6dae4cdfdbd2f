import { clsx } from 'clsx'
import { useServer } from '@/lib/server'
import { formatTime, useZone } from '@/lib/time'
import { retryNow, useLiveStatus } from '@/live/live'
import { Button } from '@/ui/Button'
import { Hint } from '@/ui/Hint'
import styles from './LiveDot.module.css'

/** How the connection is: a dot and a word, explained on demand. */
export function LiveDot() {
  const { mode, isStarting, heardAt } = useLiveStatus()
  const zone = useZone()
  const server = useServer()
  const word = isStarting ? 'Connecting' : { live: 'Live', polling: 'Polling', offline: 'Offline' }[mode]
  const meaning = isStarting
    ? 'The connection to the server is being opened.'
    : {
        live: 'Changes are shown as they happen.',
        polling:
          'WebSockets do not get through to the server, so the page asks for changes. They are shown a little later.',
        offline: `The server does not answer. What is shown is from ${formatTime(heardAt * 1000, zone)}.`,
      }[mode]
  return (
    <Hint
      side="right"
      label="The connection"
      trigger={
        <Button look="plain" data-live={isStarting ? 'starting' : mode}>
          <i className={clsx(styles.dot, !isStarting && styles[mode])} aria-hidden="true" />
          <span>{word}</span>
        </Button>
      }
    >
      <p>{meaning}</p>
      {mode === 'offline' && !isStarting && (
        <p>
          <Button size="small" onClick={retryNow}>
            Try now
          </Button>
        </p>
      )}
      {server && (
        <p className={styles.server}>
          Stellwerk {server.version}
          <br />
          {server.dialect} {server.address}
        </p>
      )}
    </Hint>
  )
}
