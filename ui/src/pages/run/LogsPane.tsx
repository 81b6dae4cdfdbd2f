import { Link } from '@tanstack/react-router'
import { lazy, Suspense } from 'react'
import { Boundary } from '@/ui/Boundary'
import { Pane } from '@/ui/Pane'
import type { LogChoice } from '@/viz/logs/LogView'
import styles from './RunPage.module.css'
import { isUnderWay } from './RunView'
import type { Run } from './useRun'

const LogView = lazy(() => import('@/viz/logs/LogView').then((part) => ({ default: part.LogView })))

export interface LogsPaneProps {
  run: Run
  /** Names of tasks and child flows. */
  names: readonly string[]
  choice: LogChoice
  onChoice: (change: Partial<LogChoice>) => void
  /** Whether it is the whole tab. */
  isMain?: boolean
}

/** The log of the run. */
export function LogsPane({ run, names, choice, onChoice, isMain = false }: LogsPaneProps) {
  const view = (
    <Suspense fallback={<div className={styles.loading} aria-busy="true" />}>
      <LogView
        runId={run.id}
        rootId={run.root_id}
        runName={run.name}
        isRunning={isUnderWay(run)}
        tasks={names}
        choice={choice}
        onChoice={onChoice}
        hasKeys
      />
    </Suspense>
  )
  if (isMain) {
    return (
      <section className={styles.mainLog} aria-label="Logs">
        <Boundary>{view}</Boundary>
      </section>
    )
  }
  const open = (
    <Link className={styles.more} to="." search={(before: object) => ({ ...before, tab: 'logs' })}>
      Open
    </Link>
  )
  return (
    <Pane title="Logs" isFilling className={styles.sideLog} actions={open}>
      {view}
    </Pane>
  )
}
