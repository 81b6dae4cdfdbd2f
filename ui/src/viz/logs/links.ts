/** Addresses within a text. Only http and https become links: anything else could do more than open a page. */

export interface Piece {
  text: string
  href?: string
}

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`\\^{}|]+/g

/** Cut a text into pieces of plain text and of addresses. */
export function pieces(text: string): Piece[] {
  if (!text.includes('://')) return [{ text }]
  const found: Piece[] = []
  let from = 0
  for (const match of text.matchAll(ADDRESS)) {
    const address = trimmed(match[0])
    if (!isAddress(address)) continue
    if (match.index > from) found.push({ text: text.slice(from, match.index) })
    found.push({ text: address, href: address })
    from = match.index + address.length
  }
  if (from < text.length || !found.length) found.push({ text: text.slice(from) })
  return found
}

/** Leave out what ends a sentence rather than an address: `(see https://a.b/c).` */
function trimmed(address: string): string {
  let end = address.length
  while (end > 0) {
    const last = address[end - 1]!
    if ('.,;:!?*_'.includes(last)) end--
    else if (last === ')' && count(address, '(', end) < count(address, ')', end)) end--
    else if (last === ']' && count(address, '[', end) < count(address, ']', end)) end--
    else break
  }
  return address.slice(0, end)
}

function count(text: string, character: string, end: number): number {
  let found = 0
  for (let place = 0; place < end; place++) if (text[place] === character) found++
  return found
}

function isAddress(text: string): boolean {
  try {
    const { protocol, hostname } = new URL(text)
    return (protocol === 'http:' || protocol === 'https:') && hostname.length > 0
  } catch {
    return false
  }
}
