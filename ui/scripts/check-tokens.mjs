// Check the design tokens: text that can be read, fills that can be seen, and states that nobody confuses, whichever
// colours their eyes tell apart. Prints the tightest values; fails when one is below its target.
import { readFileSync } from 'node:fs'
import {
  differenceCiede2000,
  filterDeficiencyDeuter,
  filterDeficiencyProt,
  filterDeficiencyTrit,
  formatHex,
  interpolate,
  parse,
  wcagContrast,
} from 'culori'

const FAMILIES = ['waiting', 'running', 'success', 'attention', 'failed', 'crashed', 'cancelled']
const TEXT = 4.5 // WCAG 2.2, 1.4.3
const GRAPHICS = 3 // WCAG 2.2, 1.4.11
const APART = 14 // CIEDE2000: told apart at a glance, in bars of a few pixels
const TINT = 0.12 // of its fill, behind the text of a badge

const css = readFileSync(new URL('../src/ui/tokens.css', import.meta.url), 'utf8')
const themes = { light: {}, dark: {} }
for (const [, name, light, dark] of css.matchAll(/--([\w-]+):\s*light-dark\((#[0-9a-f]{6}),\s*(#[0-9a-f]{6})\)/g)) {
  themes.light[name] = light
  themes.dark[name] = dark
}

/** Every pair that must contrast: what it is, the two colours, and by how much. */
function* pairs(token) {
  for (const ground of ['paper', 'surface', 'sunken', 'select', 'raised']) {
    for (const ink of ['ink', 'ink-2', 'ink-3']) yield [`text ${ink} on ${ground}`, token[ink], token[ground], TEXT]
  }
  yield ['text on-ink on ink', token['on-ink'], token.ink, TEXT]
  yield ['text on-ink on ink-2', token['on-ink'], token['ink-2'], TEXT]
  for (const ground of ['paper', 'surface']) {
    yield [`line-strong on ${ground}`, token['line-strong'], token[ground], GRAPHICS]
    yield [`focus on ${ground}`, token.focus, token[ground], GRAPHICS]
  }
  for (const family of FAMILIES) {
    const fill = token[`st-${family}`]
    const text = token[`st-${family}-text`]
    for (const ground of ['paper', 'surface']) yield [`fill ${family} on ${ground}`, fill, token[ground], GRAPHICS]
    for (const ground of ['paper', 'surface', 'raised', 'select']) {
      yield [`text ${family} on ${ground}`, text, token[ground], TEXT]
    }
    const tint = formatHex(interpolate([token.surface, fill], 'rgb')(TINT))
    yield [`text ${family} on its tint`, text, tint, TEXT]
  }
}

const difference = differenceCiede2000()
const eyes = {
  normal: (colour) => colour,
  protan: filterDeficiencyProt(1),
  deutan: filterDeficiencyDeuter(1),
  tritan: filterDeficiencyTrit(1),
}
let failures = 0

function need(theme, what, value, target) {
  // Targets are met as they are commonly shown, to two decimals.
  if (Math.round(value * 100) / 100 >= target) return
  failures += 1
  console.log(`FAIL ${theme}: ${what} is ${value.toFixed(2)}, less than ${target}`)
}

for (const [theme, token] of Object.entries(themes)) {
  const lowest = {}
  for (const [what, one, other, target] of pairs(token)) {
    if (!one || !other) {
      failures += 1
      console.log(`FAIL ${theme}: a token of "${what}" is missing`)
      continue
    }
    const value = wcagContrast(one, other)
    need(theme, what, value, target)
    const kind = what.split(' ')[0]
    if (!lowest[kind] || value < lowest[kind][0]) lowest[kind] = [value, what]
  }
  for (const [value, what] of Object.values(lowest)) console.log(`${theme}: lowest ${what} ${value.toFixed(2)}`)
  for (const [eye, see] of Object.entries(eyes)) {
    let closest = [Number.POSITIVE_INFINITY, '']
    for (const [index, one] of FAMILIES.entries()) {
      for (const other of FAMILIES.slice(index + 1)) {
        const apart = difference(see(parse(token[`st-${one}`])), see(parse(token[`st-${other}`])))
        if (apart < closest[0]) closest = [apart, `${one}/${other}`]
      }
    }
    need(theme, `${closest[1]} for ${eye} eyes`, closest[0], APART)
    console.log(`${theme}: closest for ${eye} eyes ${closest[1]} ${closest[0].toFixed(1)}`)
  }
}
process.exit(failures ? 1 : 0)
