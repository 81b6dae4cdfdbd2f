import { formatCount } from '@/lib/time'
import { StateBadge } from '@/ui/State'
import type { Pointing } from './gestures'
import { Legend } from './Legend'
import { shownUntil } from './pixels'
import { type Scene, timeAt } from './scene'
import { factsOf } from './spoken'
import styles from './Timeline.module.css'
import type { Track } from './tracks'

/** What is under the pointer. The keyboard's cursor tells the same aloud, so readers are spared this one. */
export function Tip({ pointing, scene }: { pointing: Pointing; scene: Scene }) {
  const { x, y, hit } = pointing
  const track = scene.plan.tracks[hit.track]
  if (!track) return null
  const isOverNames = x < scene.labels
  const isDensity = scene.arrangement.rows[hit.track]!.pitch === 0
  if (hit.row < 0 && !isOverNames && !isDensity) return null
  const isRight = x > scene.width / 2
  const style = {
    top: Math.max(4, Math.min(y + 14, scene.height - 130)),
    ...(isRight ? { right: scene.width - x + 14 } : { left: x + 14 }),
  }
  return (
    <div className={styles.tip} style={style} aria-hidden="true">
      {hit.row >= 0 ? <RowTip scene={scene} row={hit.row} /> : <TrackTip track={track} />}
      {hit.row < 0 && !isOverNames && <p>{formatCount(underWay(scene, track, timeAt(scene, x)))} at this moment</p>}
    </div>
  )
}

function RowTip({ scene, row }: { scene: Scene; row: number }) {
  const facts = factsOf(scene.data, row, scene.now, scene.zone)
  return (
    <>
      <p className={styles.tipName}>{facts.name}</p>
      <StateBadge state={facts.state} label={facts.label} />
      <dl>
        {facts.started && (
          <>
            <dt>Started</dt>
            <dd>{facts.started}</dd>
            <dt>Took</dt>
            <dd>{facts.duration}</dd>
          </>
        )}
        <dt>Waited</dt>
        <dd>{facts.waited}</dd>
        {facts.attempts > 1 && (
          <>
            <dt>Attempt</dt>
            <dd>{facts.attempts}</dd>
          </>
        )}
      </dl>
    </>
  )
}

function TrackTip({ track }: { track: Track }) {
  return (
    <>
      <p className={styles.tipName}>{track.name}</p>
      <Legend counts={track.counts} />
    </>
  )
}

function underWay(scene: Scene, track: Track, time: number): number {
  let count = 0
  for (let at = 0; at < track.rows.length; at++) {
    if (track.from[at]! <= time && shownUntil(track, at, scene.now) > time) count++
  }
  return count
}
