/** The mark: three trains on three tracks. */
export function Mark({ size = 20 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 20 20" fill="currentColor" aria-hidden="true">
      <rect x="0" y="2" width="9" height="3.4" />
      <rect x="5.5" y="8.3" width="10.5" height="3.4" />
      <rect x="13" y="14.6" width="7" height="3.4" />
    </svg>
  )
}
