import { createStore, useStore } from './store'

/** What a person chooses about the page. Stored in the browser, the same in all tabs. */
export interface Settings {
  theme: 'system' | 'light' | 'dark'
  density: 'default' | 'compact'
  /** 'browser', 'UTC' or an IANA name. */
  zone: string
  /** Whether single letters are shortcuts (WCAG 2.1.4: they can be switched off). */
  letters: boolean
}

const KEY = 'stellwerk.settings'
const DEFAULTS: Settings = { theme: 'system', density: 'default', zone: 'browser', letters: true }

/** The settings store; `setSetting` changes one. */
export const settings = createStore<Settings>(read())

function read(): Settings {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}')
    return { ...DEFAULTS, ...(stored as Partial<Settings>) }
  } catch {
    // Storage may be forbidden, or hold what another version wrote.
    return DEFAULTS
  }
}

/** Change one setting, here and in the other tabs. */
export function setSetting<K extends keyof Settings>(key: K, value: Settings[K]): void {
  settings.set({ ...settings.get(), [key]: value })
  try {
    localStorage.setItem(KEY, JSON.stringify(settings.get()))
  } catch {
    // It holds for this tab then.
  }
}

/** Watch the settings. */
export function useSettings(): Settings {
  return useStore(settings)
}

/** Keep the document's theme and density as the settings say. Called once, before the first paint. */
export function applySettings(): void {
  const apply = () => {
    const { theme, density } = settings.get()
    const root = document.documentElement
    if (theme === 'system') delete root.dataset.theme
    else root.dataset.theme = theme
    root.dataset.density = density
  }
  apply()
  settings.subscribe(apply)
  addEventListener('storage', (event) => {
    if (event.key === KEY) settings.set(read())
  })
}
