import { clsx } from 'clsx'
import { familyOf, infoOf, labelOf, wordOf } from '@/lib/states'
import styles from './State.module.css'

// Drawn on 12 x 12. A shape tells what the colour tells, for those who do not see it.
const ring = <circle cx="6" cy="6" r="4.2" fill="none" stroke="currentColor" strokeWidth="1.6" />
const triangle = (
  <path d="M6 1.4l4.9 8.8H1.1z" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinejoin="round" />
)
const check = <path d="M1.8 6.4l3 3 5.4-6.6" fill="none" stroke="currentColor" strokeWidth="1.9" />
const cross = <path d="M2.2 2.2l7.6 7.6M9.8 2.2L2.2 9.8" stroke="currentColor" strokeWidth="2.2" />

/** The signs, by their names in states.json. */
export const GLYPHS: Readonly<Record<string, React.ReactNode>> = {
  ring,
  'ring-quarter': (
    <>
      {ring}
      <path d="M6 6V1.8A4.2 4.2 0 0 1 10.2 6z" fill="currentColor" />
    </>
  ),
  'half-disc': (
    <>
      {ring}
      <path d="M6 1.8a4.2 4.2 0 0 1 0 8.4z" fill="currentColor" />
    </>
  ),
  'triangle-pause': (
    <>
      {triangle}
      <path d="M5 5.4v3.2M7 5.4v3.2" stroke="currentColor" strokeWidth="1.2" />
    </>
  ),
  triangle: (
    <>
      {triangle}
      <path d="M6 4.6v2.4M6 8v1" stroke="currentColor" strokeWidth="1.3" />
    </>
  ),
  retry: (
    <>
      <path d="M10.2 6a4.2 4.2 0 1 1-1.4-3.1" fill="none" stroke="currentColor" strokeWidth="1.6" />
      <path d="M9.4.4v3H6.4" fill="none" stroke="currentColor" strokeWidth="1.4" />
    </>
  ),
  check,
  'check-dot': (
    <>
      <path d="M1.4 5.6l2.6 2.8L8.6 2.6" fill="none" stroke="currentColor" strokeWidth="1.9" />
      <circle cx="9.8" cy="9.2" r="1.6" fill="currentColor" />
    </>
  ),
  cross,
  'cross-hourglass': (
    <>
      <path d="M1.2 1.2l5.6 5.6M6.8 1.2L1.2 6.8" stroke="currentColor" strokeWidth="1.9" />
      <path d="M7.2 7.4h4l-4 3.8h4z" fill="none" stroke="currentColor" strokeWidth="1.1" />
    </>
  ),
  bolt: <path d="M7.4.6L2 7h3.2L4.4 11.4 10 5H6.6z" fill="currentColor" />,
  'ring-slash': (
    <>
      {ring}
      <path d="M3 9l6-6" stroke="currentColor" strokeWidth="1.6" />
    </>
  ),
  dash: <path d="M1.4 6h3.6M7 6h3.6" stroke="currentColor" strokeWidth="1.9" />,
  // Never filled: nothing went wrong here, but upstream.
  arrow: <path d="M6 10.6V2M2.4 5.6L6 1.9l3.6 3.7" fill="none" stroke="currentColor" strokeWidth="1.6" />,
}

interface StateProps {
  state: string
  label?: string | null | undefined
}

/** The sign of a state in its colour; decoration beside a word, so hidden from readers. */
export function StateGlyph({ state, label, size = 12 }: StateProps & { size?: number }) {
  const glyph = labelOf(label)?.glyph ?? infoOf(state).glyph
  return (
    <svg
      className={clsx(styles.glyph, styles[familyOf(state, label)])}
      viewBox="0 0 12 12"
      width={size}
      height={size}
      aria-hidden="true"
    >
      {GLYPHS[glyph] ?? GLYPHS.ring}
    </svg>
  )
}

/** A state as sign and word, on a tint of its colour. */
export function StateBadge({ state, label }: StateProps) {
  return (
    <span className={clsx(styles.badge, styles[familyOf(state, label)])} data-state={state}>
      <StateGlyph state={state} label={label} />
      {wordOf(state, label)}
    </span>
  )
}
