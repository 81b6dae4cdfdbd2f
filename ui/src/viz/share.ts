/** Bars of shares, and names that have to fit. */

/** Widths in pixels of the parts of a bar; a part that is there is at least two wide. */
export function shareWidths(counts: ArrayLike<number>, wide: number): number[] {
  const all = Array.from(counts)
  const total = all.reduce((sum, count) => sum + count, 0)
  if (total === 0) return all.map(() => 0)
  const widths = all.map((count) => (count > 0 ? Math.max(2, (count / total) * wide) : 0))
  // What the smallest were given the largest gives.
  const largest = widths.indexOf(Math.max(...widths))
  widths[largest]! -= widths.reduce((sum, width) => sum + width, 0) - wide
  return widths
}

/** `transform_the…records`: a text cut down to `keep` letters. */
export function shorten(text: string, keep: number): string {
  if (text.length <= keep) return text
  const tail = Math.floor((keep - 1) / 2)
  return `${text.slice(0, keep - 1 - tail)}…${tail > 0 ? text.slice(-tail) : ''}`
}
