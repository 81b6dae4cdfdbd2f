import { useNavigate } from '@tanstack/react-router'
import { address } from '@/lib/address'
import { familyOf, wordOf } from '@/lib/states'
import { formatDuration, formatTime, useZone } from '@/lib/time'
import { shareInWords } from '@/ui/StateShare'
import styles from './Pulse.module.css'
import { type FlowRow, heightsOf } from './summary'

const STEP = 8
const WIDTH = 6
const HEIGHT = 24
const PLACES = 20

/** The last runs of a flow, oldest first: a bar each, as high as it took long, in the colour of its state. */
export function Pulse({ runs }: { runs: FlowRow['runs'] }) {
  const navigate = useNavigate()
  const zone = useZone()
  const heights = heightsOf(runs)
  const counts: Record<string, number> = {}
  for (const { state } of runs) counts[state] = (counts[state] ?? 0) + 1
  const open = (event: React.MouseEvent, id: string) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return
    event.preventDefault()
    void navigate({ to: '/runs/$id', params: { id } })
  }
  return (
    <>
      <span className={styles.words}>{shareInWords(counts)}</span>
      {/* For the pointer; the keyboard and readers have the words, and the list of runs behind the flow's name. */}
      <svg className={styles.pulse} width={PLACES * STEP - 2} height={HEIGHT} aria-hidden="true">
        <line className={styles.ground} x1="0" x2={PLACES * STEP - 2} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
        {[...runs].reverse().map((run, index) => {
          const height = Math.max(3, heights[index]! * (HEIGHT - 1))
          const x = (PLACES - runs.length + index) * STEP
          const at = formatTime(run.started_at ?? run.created_at, zone)
          return (
            <a
              key={run.id}
              href={address(`runs/${run.id}`).href}
              tabIndex={-1}
              onClick={(event) => open(event, run.id)}
            >
              <title>{`${run.name}\n${wordOf(run.state, run.label)} · ${formatDuration(run.duration_seconds)}\n${at}`}</title>
              <rect className={styles.target} x={x - 1} width={STEP} height={HEIGHT} />
              <rect
                x={x}
                y={HEIGHT - height}
                width={WIDTH}
                height={height}
                style={{ fill: `var(--st-${familyOf(run.state, run.label)})` }}
              />
            </a>
          )
        })}
      </svg>
    </>
  )
}
