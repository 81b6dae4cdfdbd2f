import { clsx } from 'clsx'
import { useId } from 'react'
import { Boundary } from './Boundary'
import styles from './Pane.module.css'

interface PaneProps {
  title: React.ReactNode
  /** At the end of the header. */
  actions?: React.ReactNode
  children: React.ReactNode
  className?: string | undefined
  /** Fill the height that is left, and scroll inside. */
  isFilling?: boolean
}

/** A box with a header; an error inside stays inside. */
export function Pane({ title, actions, children, className, isFilling = false }: PaneProps) {
  const id = useId()
  return (
    <section className={clsx(styles.pane, isFilling && styles.filling, className)} aria-labelledby={id}>
      <header className={styles.header}>
        <h2 id={id} className={styles.title}>
          {title}
        </h2>
        {actions && <div className={styles.actions}>{actions}</div>}
      </header>
      <div className={styles.body}>
        <Boundary>{children}</Boundary>
      </div>
    </section>
  )
}
