import { Code } from './Code'
import styles from './Empty.module.css'

interface EmptyProps {
  /** What is the case. */
  title: string
  /** What belongs here, or what to do. */
  text?: React.ReactNode
  /** The smallest thing that works, to be copied. */
  code?: string
  /** What the code is: a file name, or where to type it. */
  caption?: string
  children?: React.ReactNode
  /** Whether this is all that the page shows. */
  isPage?: boolean
}

/** What is shown where there is nothing: it teaches how something comes here. */
export function Empty({ title, text, code, caption, children, isPage = false }: EmptyProps) {
  return (
    <div className={styles.empty}>
      {isPage ? <h1 className={styles.title}>{title}</h1> : <p className={styles.title}>{title}</p>}
      {text && <p className={styles.text}>{text}</p>}
      {code && <Code text={code} caption={caption} />}
      {children}
    </div>
  )
}
