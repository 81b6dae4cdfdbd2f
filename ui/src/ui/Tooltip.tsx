import { Tooltip as Base } from '@base-ui/react/tooltip'
import styles from './Tooltip.module.css'
import { useLandmark } from './useLandmark'

interface TooltipProps {
  /** What it says. */
  text: React.ReactNode
  /** The element it belongs to; it gets the handlers. */
  children: React.ReactElement<Record<string, unknown>>
  side?: 'top' | 'bottom' | 'left' | 'right'
}

/** An explanation that comes with the pointer or the focus. Never the only place where something is told. */
export function Tooltip({ text, children, side = 'top' }: TooltipProps) {
  const { home, note } = useLandmark()
  return (
    <Base.Root onOpenChange={note}>
      <Base.Trigger render={children} delay={300} />
      <Base.Portal container={home}>
        <Base.Positioner
          positionMethod="fixed"
          className={styles.positioner}
          side={side}
          sideOffset={6}
          collisionPadding={8}
        >
          <Base.Popup className={styles.popup}>{text}</Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  )
}
