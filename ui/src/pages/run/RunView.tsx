import { useNavigate } from '@tanstack/react-router'
import { useMemo } from 'react'
import type { Search } from '@/app/search'
import { useKeys } from '@/lib/keys'
import { isTerminal } from '@/lib/states'
import { formatCount } from '@/lib/time'
import { type TabItem, Tabs } from '@/ui/Tabs'
import type { LogChoice } from '@/viz/logs/LogView'
import { GraphTab } from './GraphTab'
import { LogsPane } from './LogsPane'
import { Overview } from './Overview'
import { ParametersPane } from './ParametersPane'
import { ResultPane } from './ResultPane'
import { copyLink, RunHeader } from './RunHeader'
import type { Change } from './RunPage'
import styles from './RunPage.module.css'
import { StoryPane } from './StoryPane'
import { Summary } from './Summary'
import { TasksPane } from './TasksPane'
import { Trouble } from './Trouble'
import { type Run, totalOf, useGroups, useNeighbours, useTimeline } from './useRun'

interface RunViewProps {
  run: Run
  search: Search
  change: Change
}

/** A run that was found. */
export function RunView({ run, search, change }: RunViewProps) {
  const groups = useGroups(run)
  const counts = useMemo(() => totalOf(groups.data ?? []), [groups.data])
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  // A task that called nothing has no timeline: its page is its attempts, its values and its log.
  const hasTasks = run.kind === 'flow' || total > 0
  const tabs = tabsOf(hasTasks, total)
  const tab = tabs.some(({ value }) => value === search.tab) ? search.tab! : 'timeline'
  const timeline = useTimeline(run, hasTasks && (tab === 'timeline' || tab === 'tasks'))
  const neighbours = useNeighbours(run)
  const navigate = useNavigate()

  const show = (next: string) => change({ tab: next === 'timeline' ? undefined : next }, true)
  const go = (to: { id: string } | undefined) => {
    if (to) void navigate({ to: '/runs/$id', params: { id: to.id }, search: { tab: search.tab } } as never)
  }
  useKeys(
    {
      t: { label: hasTasks ? 'Timeline' : 'Summary', run: () => show('timeline') },
      ...(hasTasks && { n: { label: 'Graph', run: () => show('graph') } }),
      l: { label: 'Logs', run: () => show('logs') },
      ...(hasTasks && {
        f: { label: 'Only what failed', run: () => change({ only: search.only ? undefined : 'failed' }) },
      }),
      c: { label: 'Copy the link to this view', run: () => void copyLink() },
      '[': { label: 'Previous run', run: () => go(neighbours.previous) },
      ']': { label: 'Next run', run: () => go(neighbours.next) },
    },
    { scope: 'Run' },
  )

  const choice: LogChoice = {
    level: search.level,
    task: search.task,
    q: search.q,
    isMatchesOnly: search.matches === 'only',
    line: search.line && /^\d+$/.test(search.line) ? Number(search.line) : undefined,
  }
  const onChoice = useOnChoice(change)
  const names = useMemo(() => (groups.data ?? []).map((group) => group.name), [groups.data])
  const logs = { run, names, choice, onChoice }
  const tasks = { run, groups, timeline, search, change }
  return (
    <div className={styles.page} data-tab={tab}>
      <RunHeader run={run} counts={counts} total={total} neighbours={neighbours} />
      <Trouble run={run} isShort={tab !== 'timeline'} />
      <Tabs items={tabs} value={tab} onChange={show} label="Views of the run">
        <div className={styles.panel}>
          {tab === 'timeline' && hasTasks && <Overview {...tasks} logs={logs} />}
          {tab === 'timeline' && !hasTasks && <Summary run={run} logs={logs} />}
          {tab === 'graph' && <GraphTab run={run} selected={search.node} change={change} />}
          {tab === 'tasks' && <TasksPane {...tasks} isWide />}
          {tab === 'logs' && <LogsPane {...logs} isMain />}
          {tab === 'story' && <StoryPane run={run} />}
          {tab === 'parameters' && <ParametersPane run={run} />}
          {tab === 'result' && <ResultPane run={run} />}
        </div>
      </Tabs>
    </div>
  )
}

function tabsOf(hasTasks: boolean, total: number): TabItem[] {
  const first = hasTasks
    ? [
        { value: 'timeline', label: 'Timeline' },
        { value: 'graph', label: 'Graph' },
        {
          value: 'tasks',
          label: (
            <>
              Tasks <span className={styles.tabCount}>{total > 0 && formatCount(total)}</span>
            </>
          ),
        },
      ]
    : [{ value: 'timeline', label: 'Summary' }]
  return [
    ...first,
    { value: 'logs', label: 'Logs' },
    { value: 'story', label: 'Story' },
    { value: 'parameters', label: 'Parameters' },
    { value: 'result', label: 'Result' },
  ]
}

/** Keep in the URL what is chosen in the log viewer. */
function useOnChoice(change: Change): (changed: Partial<LogChoice>) => void {
  return useMemo(
    () => (changed) => {
      const search: Search = {}
      if ('level' in changed) search.level = changed.level
      if ('task' in changed) search.task = changed.task
      if ('q' in changed) search.q = changed.q
      if ('line' in changed) search.line = changed.line === undefined ? undefined : String(changed.line)
      if ('isMatchesOnly' in changed) search.matches = changed.isMatchesOnly ? 'only' : undefined
      change(search)
    },
    [change],
  )
}

/** Whether more may happen in a run. */
export function isUnderWay(run: { state: string }): boolean {
  return !isTerminal(run.state)
}
