/** What a URL may say behind its question mark: texts only, and what a page does not know is kept. */
export type Search = Record<string, string | undefined>

/** Write a search string that people can read: `:`, `,` and `/` stay what they are. */
export function stringifySearch(search: Record<string, unknown>): string {
  const pairs = Object.entries(search).filter(([, value]) => value !== undefined && value !== '')
  const readable = (text: unknown) =>
    encodeURIComponent(String(text)).replace(/%(3A|2C|2F|3E|3C|2A)/g, decodeURIComponent)
  const text = pairs.map(([key, value]) => `${encodeURIComponent(key)}=${readable(value).replaceAll('%20', '+')}`)
  return text.length ? `?${text.join('&')}` : ''
}

/** Read a search string; of a key given twice the last counts. */
export function parseSearch(text: string): Search {
  return Object.fromEntries(new URLSearchParams(text))
}
