/** Lays out large graphs beside the page's own thread. */

import { type LayoutInput, layOut } from './layout'

// Typed by hand: the page's types know no worker's scope.
const scope = self as unknown as {
  onmessage: ((event: MessageEvent<{ id: string; input: LayoutInput }>) => void) | null
  postMessage(message: unknown): void
}

scope.onmessage = ({ data }) => scope.postMessage({ id: data.id, layout: layOut(data.input) })
