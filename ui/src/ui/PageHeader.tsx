import styles from './PageHeader.module.css'

interface PageHeaderProps {
  title: React.ReactNode
  /** Beside the title, in small type. */
  note?: React.ReactNode
  actions?: React.ReactNode
}

/** The head of a page. */
export function PageHeader({ title, note, actions }: PageHeaderProps) {
  return (
    <header className={styles.header}>
      <h1>{title}</h1>
      {note && <div className={styles.note}>{note}</div>}
      {actions && <div className={styles.actions}>{actions}</div>}
    </header>
  )
}
