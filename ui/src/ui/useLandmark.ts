import { useState } from 'react'

/**
 * Where a popup belongs: the landmark (main, nav) of what opened it, so that readers who walk by landmarks meet it.
 * Give `home` to the portal and `note` to `onOpenChange`; position it `fixed`, because landmarks scroll.
 */
export function useLandmark() {
  const [home, setHome] = useState<HTMLElement>()
  const note = (isOpen: boolean, { event }: { event: Event }) => {
    const landmark = event.target instanceof Element ? event.target.closest<HTMLElement>('main, nav') : null
    if (isOpen) setHome(landmark ?? undefined)
  }
  return { home, note }
}
