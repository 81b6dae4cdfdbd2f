import { Link } from '@tanstack/react-router'
import { Pane } from '@/ui/Pane'
import { StateGlyph } from '@/ui/State'
import styles from './RunPage.module.css'
import type { Run } from './useRun'

const ASKED = 20

/** The runs whose results a run was given, and those that were given its. */
export function Relations({ run }: { run: Run }) {
  if (!run.upstream.length && !run.downstream.length) return null
  return (
    <Pane title="Dependencies">
      <div className={styles.relations}>
        <Side title="It was given results of" runs={run.upstream} />
        <Side title="Its result was given to" runs={run.downstream} />
      </div>
    </Pane>
  )
}

function Side({ title, runs }: { title: string; runs: Run['upstream'] }) {
  if (!runs.length) return null
  return (
    <div>
      <h3>{title}</h3>
      <ul>
        {runs.map((each) => (
          <li key={each.id}>
            <StateGlyph state={each.state} label={each.label} />
            <Link to="/runs/$id" params={{ id: each.id }}>
              {each.name}
            </Link>
          </li>
        ))}
        {runs.length === ASKED && <li>and more</li>}
      </ul>
    </div>
  )
}
