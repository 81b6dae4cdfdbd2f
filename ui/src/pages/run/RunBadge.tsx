import { StateBadge } from '@/ui/State'

// How an end came about is told in words beside it; there the state itself says most.
const TOLD_BESIDE = new Set(['OwnerLost', 'Interrupted', 'Exited'])

/** The label that a run is shown with on its page. */
export function shownLabel(label: string | null | undefined): string | null {
  return label && !TOLD_BESIDE.has(label) ? label : null
}

/** How a run stands, as sign and word. */
export function RunBadge({ state, label }: { state: string; label?: string | null }) {
  return <StateBadge state={state} label={shownLabel(label)} />
}
