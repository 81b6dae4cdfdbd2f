import { Link, Outlet, useRouter } from '@tanstack/react-router'
import { GitBranch, Keyboard, List } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { useKeys } from '@/lib/keys'
import { Boundary } from '@/ui/Boundary'
import { Button } from '@/ui/Button'
import { Mark } from '@/ui/Mark'
import { Tooltip } from '@/ui/Tooltip'
import { Banners } from './Banners'
import { LiveDot } from './LiveDot'
import { SettingsMenu } from './SettingsMenu'
import styles from './Shell.module.css'
import { UnderWay } from './UnderWay'
import { ZoneMenu } from './ZoneMenu'

// Dialogs come when they are asked for.
const HelpDialog = lazy(() => import('./HelpDialog').then(({ HelpDialog }) => ({ default: HelpDialog })))

const PAGES = [
  { to: '/runs', name: 'Runs', icon: List },
  { to: '/flows', name: 'Flows', icon: GitBranch },
] as const

/** The frame around every page: where one can go, how the connection is, and what a person has chosen. */
export function Shell() {
  const [isHelpOpen, setHelpOpen] = useState(false)
  const router = useRouter()
  const go = (to: (typeof PAGES)[number]['to']) => void router.navigate({ to })
  useKeys({
    '?': { label: 'Show the keys', run: () => setHelpOpen(true) },
    'g r': { label: 'Go to runs', run: () => go('/runs') },
    'g f': { label: 'Go to flows', run: () => go('/flows') },
  })
  return (
    <div className={styles.app}>
      <button type="button" className={styles.skip} onClick={skipToMain}>
        Skip to content
      </button>
      <nav className={styles.nav} aria-label="Stellwerk">
        <Link to="/runs" className={styles.logo} aria-label="Stellwerk">
          <Mark />
          <span>Stellwerk</span>
        </Link>
        <div className={styles.pages}>
          {PAGES.map(({ to, name, icon: Icon }) => (
            <Link key={to} to={to} className={styles.page} activeProps={{ 'aria-current': 'page' }} title={name}>
              <Icon size={16} strokeWidth={1.5} aria-hidden="true" />
              <span>{name}</span>
              {to === '/runs' && <UnderWay />}
            </Link>
          ))}
        </div>
        <div className={styles.tools}>
          <LiveDot />
          <ZoneMenu />
          <div className={styles.buttons}>
            <SettingsMenu />
            <Tooltip text="Keys (?)">
              <Button look="plain" className={styles.keys} onClick={() => setHelpOpen(true)} aria-label="Keyboard help">
                <Keyboard size={16} strokeWidth={1.5} />
              </Button>
            </Tooltip>
          </div>
        </div>
      </nav>
      <div className={styles.content}>
        <Banners />
        <main id="main" className={styles.main} tabIndex={-1}>
          <Boundary title="This page failed.">
            <Suspense>
              <Outlet />
            </Suspense>
          </Boundary>
        </main>
      </div>
      {isHelpOpen && (
        <Suspense>
          <HelpDialog onClose={() => setHelpOpen(false)} />
        </Suspense>
      )}
    </div>
  )
}

/** A link to #main would follow the base address instead of this page's. */
function skipToMain(): void {
  document.querySelector<HTMLElement>('#main')?.focus()
}
