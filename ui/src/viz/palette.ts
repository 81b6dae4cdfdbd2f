/** The tokens of the present theme as colours that a canvas can use. */

import { FAMILIES } from './timeline/family'

export interface Palette {
  surface: string
  sunken: string
  select: string
  line: string
  lineStrong: string
  ink: string
  ink2: string
  ink3: string
  onInk: string
  focus: string
  /** By family. */
  fill: string[]
  text: string[]
  /** Of a label on the fill: the more legible of ink and paper. */
  onFill: string[]
  /** The fills as pixels of ImageData. */
  pixels: Uint32Array
  fontUi: string
  fontNumbers: string
}

const DARK = '#15181c'
const LIGHT = '#ffffff'

/**
 * Read the tokens as they are for `host` now.
 *
 * A custom property keeps its `light-dark()` unresolved, so a probe wears each colour once and is asked for it.
 */
export function readPalette(host: HTMLElement): Palette {
  const probe = document.createElement('span')
  probe.style.display = 'none'
  host.append(probe)
  const style = getComputedStyle(probe)
  const colour = (token: string) => {
    probe.style.color = `var(--${token})`
    return style.color
  }
  const fill = FAMILIES.map((family) => colour(`st-${family}`))
  const palette: Palette = {
    surface: colour('surface'),
    sunken: colour('sunken'),
    select: colour('select'),
    line: colour('line'),
    lineStrong: colour('line-strong'),
    ink: colour('ink'),
    ink2: colour('ink-2'),
    ink3: colour('ink-3'),
    onInk: colour('on-ink'),
    focus: colour('focus'),
    fill,
    text: FAMILIES.map((family) => colour(`st-${family}-text`)),
    onFill: fill.map((each) => (contrast(each, DARK) >= contrast(each, LIGHT) ? DARK : LIGHT)),
    pixels: Uint32Array.from(fill, pixelOf),
    fontUi: style.getPropertyValue('--font-ui') || 'sans-serif',
    fontNumbers: style.getPropertyValue('--font-num') || 'monospace',
  }
  probe.remove()
  return palette
}

/** Call `onChange` whenever the theme changes; returns what ends it. */
export function watchTheme(onChange: () => void): () => void {
  const root = new MutationObserver(onChange)
  root.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme', 'class', 'style'] })
  const system = matchMedia('(prefers-color-scheme: dark)')
  system.addEventListener('change', onChange)
  return () => {
    root.disconnect()
    system.removeEventListener('change', onChange)
  }
}

/** `rgb(1, 2, 3)` or `#010203` as red, green, blue. */
export function channels(colour: string): [number, number, number] {
  const hex = /^#(..)(..)(..)$/.exec(colour)
  if (hex) return [Number.parseInt(hex[1]!, 16), Number.parseInt(hex[2]!, 16), Number.parseInt(hex[3]!, 16)]
  const numbers = colour.match(/[\d.]+/g)?.map(Number) ?? []
  return [numbers[0] ?? 0, numbers[1] ?? 0, numbers[2] ?? 0]
}

function pixelOf(colour: string): number {
  const [red, green, blue] = channels(colour)
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0
}

/** The contrast of two colours as WCAG counts it: 1 to 21. */
export function contrast(one: string, other: string): number {
  const luminance = (colour: string) => {
    const [red, green, blue] = channels(colour).map((value) => {
      const part = value / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!
  }
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (high! + 0.05) / (low! + 0.05)
}
