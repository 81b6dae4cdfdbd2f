import { address } from './address'
import { createStore, useStore } from './store'

/**
 * Whether the page that runs here is older than the server: the server told another version than at first, or answers
 * but no longer has a part of the page. Reloading is up to the person, who may be in the middle of something.
 */
const outdated = createStore(false)

/** Whether a part of the page could not be loaded. The browser remembers that, so only a reload helps. */
const incomplete = createStore(false)

let first: string | null = null

/** Compare the server's version with the one this page came from. */
export function noteVersion(version: string): void {
  first ??= version
  if (version !== first) outdated.set(true)
}

/** Watch for parts of the page that cannot be loaded. Called once. */
export function watchParts(): void {
  addEventListener('vite:preloadError', async () => {
    incomplete.set(true)
    const answer = await fetch(address('health')).catch(() => null)
    // A server that is merely away will still have them.
    if (answer?.ok) outdated.set(true)
  })
}

/** Whether a reload is due because of a new version. */
export function useOutdated(): boolean {
  return useStore(outdated)
}

/** Whether a part of the page is missing. */
export function useIncomplete(): boolean {
  return useStore(incomplete)
}
