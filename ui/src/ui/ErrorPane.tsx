import { TriangleAlert } from 'lucide-react'
import { ApiError } from '@/lib/api'
import { Button } from './Button'
import styles from './ErrorPane.module.css'

interface ErrorPaneProps {
  error: unknown
  onRetry?: () => void
  title?: string
  /** Whether this is all that the page shows. */
  isPage?: boolean
}

/** Says what failed, what helps and the request it was, with a button to try again. */
export function ErrorPane({ error, onRetry, title = 'This cannot be shown.', isPage = false }: ErrorPaneProps) {
  const known = error instanceof ApiError ? error : null
  const message = error instanceof Error ? error.message : String(error)
  return (
    <div className={styles.pane} role="alert">
      <TriangleAlert size={20} strokeWidth={1.5} aria-hidden="true" />
      <div>
        {isPage ? <h1 className={styles.title}>{title}</h1> : <p className={styles.title}>{title}</p>}
        <p>{message}</p>
        {known?.hint && <p className={styles.hint}>{known.hint}</p>}
        {known?.requestId && <p className={styles.request}>Request {known.requestId}</p>}
        {onRetry && (
          <Button size="small" onClick={onRetry}>
            Try again
          </Button>
        )}
      </div>
    </div>
  )
}
