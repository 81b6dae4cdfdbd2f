import { useEffect, useRef } from 'react'
import { settings } from './settings'
import { createStore, useStore } from './store'

/** What a key does; one with a label is listed in the help dialog. */
export type KeyBinding = (() => void) | { label: string; run: () => void }

/** Keys and what they do: `'f'`, `'/'`, `'Escape'`, or two in a row: `'g r'`. */
export type KeyMap = Record<string, KeyBinding>

interface Layer {
  scope: string
  keys: KeyMap
}

const layers = createStore<readonly Layer[]>([])
// The second key of `g r` must come within this time.
const PATIENCE = 1200

let prefix = ''
let prefixAt = 0

/** Bind keys while mounted. They are off while somebody types; single letters can be switched off in the settings. */
export function useKeys(keys: KeyMap, { scope = 'Everywhere' }: { scope?: string } = {}): void {
  const newest = useRef(keys)
  useEffect(() => {
    newest.current = keys
  })
  const names = Object.keys(keys).join('\n')
  useEffect(() => {
    // The layer reads the newest functions, so that it need not be replaced at each render.
    const live: KeyMap = {}
    for (const name of names.split('\n').filter(Boolean)) {
      Object.defineProperty(live, name, { enumerable: true, get: () => newest.current[name] })
    }
    const layer = { scope, keys: live }
    layers.set([...layers.get(), layer])
    return () => layers.set(layers.get().filter((each) => each !== layer))
  }, [names, scope])
}

/** All that is bound at present and has a label, the innermost scope first. */
export function useBoundKeys(): { scope: string; keys: [string, string][] }[] {
  const groups = new Map<string, [string, string][]>()
  const bound = useStore(layers)
  for (const { scope, keys } of [...bound].reverse()) {
    const listed = groups.get(scope) ?? []
    for (const [key, binding] of Object.entries(keys)) {
      if (typeof binding === 'object') listed.push([key, binding.label])
    }
    if (listed.length) groups.set(scope, listed)
  }
  return [...groups].map(([scope, keys]) => ({ scope, keys }))
}

/** Listen for keys. Called once. */
export function listenForKeys(): void {
  addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
    const key = event.key
    if (key.length === 1 && !settings.get().letters) return
    // A dialog or menu has the keys to itself; they end by their own Escape.
    if (document.querySelector('[role=dialog], [role=menu]')) return
    const pair = prefix && event.timeStamp - prefixAt < PATIENCE ? `${prefix} ${key}` : ''
    prefix = ''
    const found = (pair && find(pair)) || find(key)
    if (found) {
      event.preventDefault()
      if (typeof found === 'function') found()
      else found.run()
    } else if (isPrefix(key)) {
      prefix = key
      prefixAt = event.timeStamp
    }
  })
}

/** The innermost layer that knows the key wins. */
function find(key: string): KeyBinding | undefined {
  return layers.get().findLast((layer) => key in layer.keys)?.keys[key]
}

function isPrefix(key: string): boolean {
  return layers.get().some((layer) => Object.keys(layer.keys).some((name) => name.startsWith(`${key} `)))
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || target.matches('input:not([type=checkbox], [type=radio]), textarea, select')
}
