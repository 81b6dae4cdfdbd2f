import { Popover as Base } from '@base-ui/react/popover'
import styles from './Hint.module.css'

interface HintProps {
  /** The button that shows it, by pointer, by touch or by key. */
  trigger: React.ReactElement<Record<string, unknown>>
  /** What it explains, for readers. */
  label: string
  children: React.ReactNode
  side?: 'top' | 'bottom' | 'right'
}

/** An explanation of more than a few words, which stays open so that it can be read, copied from and clicked. */
export function Hint({ trigger, label, children, side = 'bottom' }: HintProps) {
  return (
    <Base.Root>
      <Base.Trigger render={trigger} openOnHover delay={300} />
      <Base.Portal>
        <Base.Positioner className={styles.positioner} side={side} align="end" sideOffset={6} collisionPadding={8}>
          <Base.Popup className={styles.popup} aria-label={label}>
            {children}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  )
}
