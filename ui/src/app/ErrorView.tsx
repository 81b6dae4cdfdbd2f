import { type ErrorComponentProps, useRouter } from '@tanstack/react-router'
import { useEffect, useRef } from 'react'
import { useIncomplete } from '@/lib/version'
import { useLiveMode } from '@/live/live'
import { ErrorPane } from '@/ui/ErrorPane'
import { useTitle } from './title'

/** What is shown instead of a page that failed, or that could not be loaded. */
export function ErrorView({ error, reset }: ErrorComponentProps) {
  const router = useRouter()
  const isIncomplete = useIncomplete()
  useTitle('Error · Stellwerk')
  useReloadWhenBack(isIncomplete)
  if (isIncomplete) {
    const missing = new Error('The server did not send this part of the page.')
    return <ErrorPane isPage title="This page cannot be loaded." error={missing} onRetry={() => location.reload()} />
  }
  const retry = () => {
    reset()
    void router.invalidate()
  }
  return <ErrorPane isPage title="This page failed." error={error} onRetry={retry} />
}

/** Load the page once the server is back; not while it is there all along, or a missing part would reload for ever. */
function useReloadWhenBack(isIncomplete: boolean): void {
  const mode = useLiveMode()
  const wasAway = useRef(false)
  useEffect(() => {
    if (mode === 'offline') wasAway.current = true
    else if (isIncomplete && wasAway.current) location.reload()
  }, [mode, isIncomplete])
}
