import { useEffect } from 'react'
import { familyOf } from '@/lib/states'

/** Name the tab, and colour its icon by a state: `brisk-otter-41 failed · nightly`. */
export function useTitle(title: string, state?: string): void {
  useEffect(() => {
    document.title = title
  }, [title])
  useEffect(() => {
    const icon = document.querySelector<HTMLLinkElement>('#favicon')
    if (!icon || !state) return
    const plain = icon.href
    icon.href = drawIcon(state)
    return () => {
      icon.href = plain
    }
  }, [state])
}

function drawIcon(state: string): string {
  const probe = document.createElement('i')
  probe.style.color = `var(--st-${familyOf(state)})`
  document.body.append(probe)
  const colour = getComputedStyle(probe).color
  probe.remove()
  const bars =
    '<rect y="2" width="10" height="4"/><rect x="5" y="8" width="11" height="4"/><rect x="12" y="14" width="8" height="4"/>'
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20"><g fill="${colour}">${bars}</g></svg>`
  return `data:image/svg+xml,${encodeURIComponent(svg)}`
}
