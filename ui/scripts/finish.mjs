// After the build: put a .br and a .gz beside every file that shrinks by it, say what the page weighs, and fail when it
// weighs more than it may.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

// In kB of 1,000 bytes. Scripts and styles count as gzip -9 makes them, fonts as they are.
const LIMITS = { first: 220, lazy: 60, fonts: 55, all: 2000 }
// What would bring its whole weight into the first load, were it imported by mistake.
const BANNED = /\b(elkjs|monaco|mermaid|echarts|moment|lodash)\b/

const folder = fileURLToPath(new URL('../../src/stellwerk/ui_dist/', import.meta.url))
const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && !/\.(br|gz)$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name))

for (const file of files) {
  if (/\.(woff2|png)$/.test(file)) continue
  const raw = readFileSync(file)
  const br = brotliCompressSync(raw, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } })
  const gz = gzipSync(raw, { level: 9 })
  if (br.length < raw.length) writeFileSync(`${file}.br`, br)
  if (gz.length < raw.length) writeFileSync(`${file}.gz`, gz)
}

const manifest = JSON.parse(readFileSync(join(folder, '.vite/manifest.json'), 'utf8'))

/** The files that a chunk brings with it: itself, its styles and whatever it imports before it can run. */
function closure(key, found = new Set()) {
  const chunk = manifest[key]
  if (found.has(chunk.file)) return found
  found.add(chunk.file)
  for (const css of chunk.css ?? []) found.add(css)
  for (const each of chunk.imports ?? []) closure(each, found)
  return found
}

const zipped = (file) => gzipSync(readFileSync(join(folder, file)), { level: 9 }).length / 1000
const sum = (list, size) => list.reduce((total, file) => total + size(file), 0)
const failures = []

function report(what, kilobytes, limit) {
  console.log(`${kilobytes.toFixed(1).padStart(8)} kB of ${String(limit).padStart(4)}  ${what}`)
  if (kilobytes > limit) failures.push(`${what}: ${kilobytes.toFixed(1)} kB, more than ${limit}`)
}

const first = closure('index.html')
for (const file of first) console.log(`${zipped(file).toFixed(1).padStart(8)} kB gz     ${file}`)
report('first load (scripts and styles)', sum([...first], zipped), LIMITS.first)
for (const [key, chunk] of Object.entries(manifest)) {
  if (!chunk.isDynamicEntry) continue
  const own = [...closure(key)].filter((file) => !first.has(file))
  report(`lazy: ${key}`, sum(own, zipped), LIMITS.lazy)
}
const bytes = (file) => statSync(file).size / 1000
report(
  'fonts',
  sum(
    files.filter((file) => file.endsWith('.woff2')),
    bytes,
  ),
  LIMITS.fonts,
)
const everything = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name))
report('all files, compressed copies and all', sum(everything, bytes), LIMITS.all)

for (const [key] of Object.entries(manifest)) {
  if (BANNED.test(key)) failures.push(`${key} must not be part of the page`)
}
for (const failure of failures) console.error(`TOO MUCH  ${failure}`)
process.exit(failures.length ? 1 : 0)
