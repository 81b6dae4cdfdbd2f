/** The absolute address of a path of the server, under whatever sub-path the page is served. */
export function address(path: string): URL {
  return new URL(path.replace(/^\//, ''), document.baseURI)
}
