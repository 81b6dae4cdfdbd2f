import { Tabs as Base } from '@base-ui/react/tabs'
import { useEffect, useRef } from 'react'
import styles from './Tabs.module.css'

/** One tab: what it is called in the URL, and on the page. */
export interface TabItem {
  value: string
  label: React.ReactNode
}

interface TabsProps {
  items: readonly TabItem[]
  value: string
  onChange: (value: string) => void
  /** Named for readers: what the tabs choose between. */
  label: string
  /** The panel of the chosen tab. */
  children: React.ReactNode
  /** At the end of the row. */
  actions?: React.ReactNode
}

/** A row of tabs with the panel of the chosen one. */
export function Tabs({ items, value, onChange, label, children, actions }: TabsProps) {
  const list = useRef<HTMLDivElement>(null)
  // Where the row is too narrow for all of them, the chosen one is in view.
  useEffect(() => {
    list.current?.querySelector(`[data-value="${value}"]`)?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [value])
  return (
    <Base.Root value={value} onValueChange={(next) => next !== null && onChange(String(next))} className={styles.root}>
      <div className={styles.row}>
        <Base.List ref={list} className={styles.list} aria-label={label} activateOnFocus={false}>
          {items.map((item) => (
            <Base.Tab key={item.value} value={item.value} data-value={item.value} className={styles.tab}>
              {item.label}
            </Base.Tab>
          ))}
        </Base.List>
        {actions}
      </div>
      <Base.Panel value={value} className={styles.panel}>
        {children}
      </Base.Panel>
    </Base.Root>
  )
}
