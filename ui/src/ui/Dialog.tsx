import { Dialog as Base } from '@base-ui/react/dialog'
import { X } from 'lucide-react'
import { Button } from './Button'
import styles from './Dialog.module.css'

interface DialogProps {
  title: string
  isOpen: boolean
  onClose: () => void
  children: React.ReactNode
}

/** A dialog over the page; it holds the focus and gives it back. */
export function Dialog({ title, isOpen, onClose, children }: DialogProps) {
  return (
    <Base.Root open={isOpen} onOpenChange={(open) => !open && onClose()}>
      <Base.Portal>
        <Base.Backdrop className={styles.backdrop} />
        <Base.Popup className={styles.popup}>
          <Base.Title className={styles.title}>{title}</Base.Title>
          <div className={styles.body}>{children}</div>
          {/* Last, so that the focus begins with what the dialog is for. */}
          <Base.Close render={<Button look="plain" size="small" className={styles.close} aria-label="Close" />}>
            <X size={16} strokeWidth={1.5} />
          </Base.Close>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  )
}
