import { useEffect, useState } from 'react'
import { formatRelative, formatTime, useNow, useZone } from '@/lib/time'
import { useOutdated } from '@/lib/version'
import { retryNow, useLiveStatus } from '@/live/live'
import { Button } from '@/ui/Button'
import styles from './Banners.module.css'

// A server that restarts is back within that time; nobody need be told.
const PATIENCE = 2000

/** What concerns the whole page: the server is away, or the page is older than it. */
export function Banners() {
  return (
    <>
      <OfflineBanner />
      <OutdatedBanner />
    </>
  )
}

function OfflineBanner() {
  const { mode, isStarting, heardAt } = useLiveStatus()
  const isOffline = mode === 'offline' && !isStarting
  const [isShown, setShown] = useState(false)
  useEffect(() => {
    if (!isOffline) return setShown(false)
    const timer = setTimeout(() => setShown(true), PATIENCE)
    return () => clearTimeout(timer)
  }, [isOffline])
  const zone = useZone()
  const now = useNow(1000, isShown)
  return (
    <div role="status">
      {isShown && (
        <div className={styles.banner}>
          <strong>The server does not answer.</strong>
          {/* The age changes each second: readers are told once, without it. */}
          <span aria-hidden="true">
            What you see is from {formatTime(heardAt * 1000, zone)} ({formatRelative(heardAt * 1000, now)}).
          </span>
          <span>The page goes on by itself when it is back.</span>
          <Button size="small" onClick={retryNow}>
            Try now
          </Button>
        </div>
      )}
    </div>
  )
}

function OutdatedBanner() {
  if (!useOutdated()) return null
  return (
    <div className={styles.banner} role="status">
      <strong>The server has a new version.</strong>
      <span>This page is from the old one.</span>
      <Button size="small" look="main" onClick={() => location.reload()}>
        Reload
      </Button>
    </div>
  )
}
