// After the build: put a .br and a .gz beside every file that shrinks by it, and say what the first load weighs.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const folder = new URL('../../src/stellwerk/ui_dist/', import.meta.url).pathname
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
const first = new Set()
const visit = (key) => {
  const chunk = manifest[key]
  if (first.has(chunk.file)) return
  first.add(chunk.file)
  for (const css of chunk.css ?? []) first.add(css)
  for (const each of chunk.imports ?? []) visit(each)
}
visit('index.html')
const kilobytes = (file) => gzipSync(readFileSync(join(folder, file)), { level: 9 }).length / 1000
let sum = 0
for (const file of first) {
  sum += kilobytes(file)
  console.log(`${kilobytes(file).toFixed(1).padStart(8)} kB gz  ${file}`)
}
const total = files.reduce((bytes, file) => bytes + statSync(file).size, 0)
console.log(`${sum.toFixed(1).padStart(8)} kB gz  first load (scripts and styles); all files ${(total / 1000).toFixed(0)} kB`)
