import { clsx } from 'clsx'
import { Maximize2, Minus, Plus, Table2 } from 'lucide-react'
import { useEffect, useId, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import { formatCount, zoneLabel } from '@/lib/time'
import { Button } from '@/ui/Button'
import { Empty } from '@/ui/Empty'
import twin from '../twin.module.css'
import { dayLabel } from './axis'
import { type Move, moveCursor } from './cursor'
import type { TimelineData } from './data'
import { isFailure } from './family'
import { listen, type Pointing } from './gestures'
import { Legend } from './Legend'
import { MINIMAP, Minimap } from './minimap'
import { spoken } from './spoken'
import { Stage } from './stage'
import styles from './Timeline.module.css'
import { Tip } from './Tip'
import { Twin } from './Twin'
import { planTracks } from './tracks'

export interface TimelineProps {
  data: TimelineData
  /** The server's clock, µs since the epoch. */
  now: number
  isLive: boolean
  colourBy?: 'state'
  groupBy?: 'task'
  only?: 'failed' | undefined
  /** With it there is a switch for `only`. */
  onOnly?: (only: 'failed' | undefined) => void
  /** What is shown, µs since the epoch; undefined: everything, and what is still to come. */
  range: readonly [number, number] | undefined
  onRange: (range: readonly [number, number] | undefined) => void
  /** The seq of a row. */
  selected: number | undefined
  onSelect: (seq: number | undefined) => void
  zone: string
  maxHeight?: number
}

/** Fewer rows are seen at a glance without a map of them. */
const MINIMAP_ROWS = 20
const MOVES: Record<string, Move> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
  Home: 'first',
  End: 'last',
}

/** All task runs and child flow runs of a run as a track plan: one track a task, its runs side by side on lanes. */
export function Timeline(props: TimelineProps) {
  const { data, only, isLive, zone, now } = props
  const version = useSyncExternalStore(data.subscribe, () => data.version)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the data is the same object with other contents.
  const plan = useMemo(() => planTracks(data, only), [data, version, only])
  const failures = plan.counts.reduce((sum, count, family) => sum + (isFailure(family) ? count : 0), 0)
  const [isTable, setTable] = useState(false)
  const [height, setHeight] = useState({ shown: 120, content: 120 })
  const [pointing, setPointing] = useState<Pointing>()
  const [message, setMessage] = useState('')
  const [view, setView] = useState<{ from: number; to: number }>()
  const hint = useId()

  const scroller = useRef<HTMLDivElement>(null)
  const surface = useRef<HTMLDivElement>(null)
  const base = useRef<HTMLCanvasElement>(null)
  const overlay = useRef<HTMLCanvasElement>(null)
  const map = useRef<HTMLCanvasElement>(null)
  const stage = useRef<Stage>(undefined)
  const latest = useRef(props)
  latest.current = props

  const isEmpty = plan.total === 0
  const hasMap = data.count >= MINIMAP_ROWS

  useEffect(() => {
    if (isEmpty) return
    const made = new Stage(scroller.current!, base.current!, overlay.current!, {
      onRange: (range) => latest.current.onRange(range),
      onView: () => setView(made.current && { ...made.current.span }),
      onHeight: (shown, content) => setHeight({ shown, content }),
    })
    stage.current = made
    const end = listen(surface.current!, made, {
      onPoint: setPointing,
      onChoose: (row) => {
        made.marks.cursor = row
        latest.current.onSelect(row < 0 ? undefined : latest.current.data.columns.seq[row])
      },
    })
    return () => {
      end()
      made.destroy()
      stage.current = undefined
    }
  }, [isEmpty])

  useEffect(() => {
    if (isEmpty || !hasMap) return
    const minimap = new Minimap(map.current!, stage.current!)
    stage.current!.redraw()
    return () => minimap.destroy()
  }, [isEmpty, hasMap])

  const { range, selected, maxHeight = 520 } = props
  useEffect(() => {
    stage.current?.set({ data, plan, now, isLive, zone, range, selected, maxHeight })
  }, [data, plan, now, isLive, zone, range, selected, maxHeight])

  const onKeyDown = (event: React.KeyboardEvent) => {
    const at = stage.current
    if (!at || event.altKey || event.ctrlKey || event.metaKey) return
    const { marks } = at
    const move = MOVES[event.key]
    if (move && event.shiftKey && (move === 'left' || move === 'right')) at.pan(move === 'left' ? -0.25 : 0.25)
    else if (move) {
      marks.cursor = moveCursor(data, plan, marks.cursor, move)
      if (marks.cursor < 0) return
      at.reveal(marks.cursor)
      setMessage(spoken(data, marks.cursor, at.now(), zone))
    } else if (event.key === '+' || event.key === '=') at.zoom(0.6)
    else if (event.key === '-') at.zoom(1 / 0.6)
    else if (event.key === '0') at.fit()
    else if ((event.key === 'Enter' || event.key === ' ') && marks.cursor >= 0) {
      props.onSelect(data.columns.seq[marks.cursor])
    } else if (event.key === 'Escape' && selected !== undefined) props.onSelect(undefined)
    else return
    event.preventDefault()
    at.redrawMarks()
  }

  const onFocus = (isFocused: boolean) => {
    const at = stage.current
    if (!at) return
    // By the pointer the cursor stays where it is; it is shown to those who came with the keyboard.
    at.marks.isFocused = isFocused && surface.current!.matches(':focus-visible')
    if (at.marks.isFocused && at.marks.cursor < 0) at.marks.cursor = at.marks.selected
    at.redrawMarks()
  }

  if (isEmpty) {
    return only ? (
      <Empty title="Nothing failed" text="No task run of this run has failed or crashed." />
    ) : (
      <Empty title="No task runs yet" text="Each task run gets a bar here as soon as it is created." />
    )
  }
  const runs = `${formatCount(plan.total)} ${plan.total === 1 ? 'run' : 'runs'}`
  return (
    <div className={styles.timeline}>
      <div className={styles.bar}>
        <h2 className={styles.title}>Timeline</h2>
        <span className={styles.summary}>{runs}</span>
        <span className={clsx(styles.summary, styles.day)}>
          {dayLabel(data.base, zone)} {zoneLabel(data.base, zone)}
        </span>
        <Legend counts={plan.counts} />
        <div className={styles.actions}>
          {props.onOnly && (failures > 0 || only) && (
            <Button
              look="plain"
              size="small"
              aria-pressed={only !== undefined}
              onClick={() => props.onOnly?.(only ? undefined : 'failed')}
            >
              Only failed
            </Button>
          )}
          <Button look="plain" size="small" aria-label="Zoom out" onClick={() => stage.current?.zoom(1 / 0.6)}>
            <Minus size={16} />
          </Button>
          <Button look="plain" size="small" aria-label="Zoom in" onClick={() => stage.current?.zoom(0.6)}>
            <Plus size={16} />
          </Button>
          <Button look="plain" size="small" onClick={() => stage.current?.fit()} disabled={range === undefined}>
            <Maximize2 size={14} /> Fit
          </Button>
          <Button look="plain" size="small" aria-pressed={isTable} onClick={() => setTable(!isTable)}>
            <Table2 size={16} /> Table
          </Button>
        </div>
      </div>
      <div className={styles.plan} hidden={isTable}>
        {hasMap && (
          <div aria-hidden="true">
            <canvas ref={map} className={styles.map} style={{ height: MINIMAP }} />
          </div>
        )}
        <div ref={scroller} className={styles.scroller} style={{ height: height.shown }}>
          <div
            ref={surface}
            className={styles.surface}
            style={{ height: height.shown }}
            role="application"
            aria-roledescription="timeline"
            aria-label={`Timeline of ${runs}`}
            aria-describedby={hint}
            // biome-ignore lint/a11y/noNoninteractiveTabindex: it is moved about with the keys.
            tabIndex={0}
            onKeyDown={onKeyDown}
            onFocus={() => onFocus(true)}
            onBlur={() => onFocus(false)}
          >
            <canvas ref={base} className={styles.canvas} />
            <canvas ref={overlay} className={styles.canvas} />
          </div>
          <div style={{ height: Math.max(0, height.content - height.shown) }} />
        </div>
        {pointing && stage.current?.current && <Tip pointing={pointing} scene={stage.current.current} />}
      </div>
      <p id={hint} className={twin.hidden}>
        Arrow keys move from run to run, Enter chooses one, plus and minus zoom, 0 shows everything. The same runs
        follow as a table.
      </p>
      <p className={twin.hidden} aria-live="polite">
        {message}
      </p>
      <Twin
        data={data}
        plan={plan}
        view={view}
        version={version}
        zone={zone}
        now={now}
        isShown={isTable}
        selected={selected}
        onSelect={props.onSelect}
        isWhole={range === undefined}
      />
    </div>
  )
}
