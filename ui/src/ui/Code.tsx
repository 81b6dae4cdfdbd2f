import styles from './Code.module.css'
import { CopyButton } from './CopyButton'

/** A block of code or output that can be copied. */
export function Code({ text, caption }: { text: string; caption?: string | undefined }) {
  return (
    <figure className={styles.figure}>
      <figcaption className={styles.caption}>
        <span>{caption}</span>
        <CopyButton text={text} />
      </figcaption>
      {/* It scrolls sideways, so the keyboard must reach it. */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling box needs the focus to be scrolled by keys */}
      <pre className={styles.code} tabIndex={0}>
        {text}
      </pre>
    </figure>
  )
}
