import { useBoundKeys } from '@/lib/keys'
import { useSettings } from '@/lib/settings'
import { Dialog } from '@/ui/Dialog'
import styles from './HelpDialog.module.css'

const SIGNS: Record<string, string> = { Escape: 'Esc', ArrowUp: '↑', ArrowDown: '↓', ArrowLeft: '←', ArrowRight: '→' }

/** The keys that do something at present. */
export function HelpDialog({ onClose }: { onClose: () => void }) {
  const groups = useBoundKeys()
  const { letters } = useSettings()
  return (
    <Dialog title="Keys" isOpen onClose={onClose}>
      {!letters && <p>Single-letter keys are switched off in the settings.</p>}
      {groups.map(({ scope, keys }) => (
        <section key={scope} className={styles.group}>
          <h3 className={styles.scope}>{scope}</h3>
          <dl className={styles.keys}>
            {keys.map(([key, label]) => (
              <div key={key}>
                <dt>
                  {key.split(' ').map((each) => (
                    <kbd key={each}>{SIGNS[each] ?? each}</kbd>
                  ))}
                </dt>
                <dd>{label}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </Dialog>
  )
}
