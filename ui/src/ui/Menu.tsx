import { Menu as Base } from '@base-ui/react/menu'
import { Check } from 'lucide-react'
import styles from './Menu.module.css'
import { useLandmark } from './useLandmark'

interface MenuProps {
  /** The button that opens it; it gets the handlers. */
  trigger: React.ReactElement<Record<string, unknown>>
  children: React.ReactNode
  side?: 'top' | 'bottom' | 'right'
  align?: 'start' | 'end'
}

/** A menu under a button. */
export function Menu({ trigger, children, side = 'bottom', align = 'start' }: MenuProps) {
  const { home, note } = useLandmark()
  return (
    <Base.Root onOpenChange={note}>
      <Base.Trigger render={trigger} />
      <Base.Portal container={home}>
        <Base.Positioner positionMethod="fixed" className={styles.positioner} side={side} align={align} sideOffset={4}>
          <Base.Popup className={styles.popup}>{children}</Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  )
}

/** Something a menu does. */
export function MenuItem({ onClick, children }: { onClick: () => void; children: React.ReactNode }) {
  return (
    <Base.Item className={styles.item} onClick={onClick}>
      {children}
    </Base.Item>
  )
}

interface MenuChoiceProps<T extends string> {
  label: string
  value: T
  options: readonly (readonly [T, React.ReactNode])[]
  onChange: (value: T) => void
}

/** One of several within a menu; the chosen one has a check. */
export function MenuChoice<T extends string>({ label, value, options, onChange }: MenuChoiceProps<T>) {
  return (
    <Base.RadioGroup value={value} onValueChange={(next) => onChange(next as T)}>
      <Base.Group>
        <Base.GroupLabel className={styles.label}>{label}</Base.GroupLabel>
        {options.map(([each, text]) => (
          <Base.RadioItem key={each} value={each} className={styles.item}>
            <span className={styles.mark}>
              <Base.RadioItemIndicator>
                <Check size={14} strokeWidth={2} />
              </Base.RadioItemIndicator>
            </span>
            {text}
          </Base.RadioItem>
        ))}
      </Base.Group>
    </Base.RadioGroup>
  )
}

/** A line between groups of a menu. */
export function MenuLine() {
  return <Base.Separator className={styles.line} />
}
