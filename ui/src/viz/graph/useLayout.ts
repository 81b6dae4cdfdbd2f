import { useEffect, useRef, useState } from 'react'
import type { Pair } from './layers'
import { type Direction, type Layout, type LayoutInput, layOut } from './layout'
import LayoutWorker from './layout.worker?worker'

/** Up to so many nodes it takes less time to lay them out than to ask a worker to. */
const AT_ONCE = 200

/**
 * The layout of a graph of a structure; undefined until the first is there.
 *
 * While a larger one is being made the last one that fits stays. `structure`: equal texts have equal layouts.
 */
export function useLayout(
  structure: string,
  keys: readonly string[],
  edges: readonly Pair[],
  direction: Direction,
  size: { width: number; height: number },
): Layout | undefined {
  const [made, setMade] = useState<{ id: string; layout: Layout }>()
  const known = useRef<Record<string, number>>(undefined)
  const worker = useRef<Worker>(undefined)
  const id = `${direction} ${size.width} ${structure}`

  // biome-ignore lint/correctness/useExhaustiveDependencies: the id stands for all of them.
  useEffect(() => {
    const input: LayoutInput = { keys, edges, direction, ...size, ...(known.current && { known: known.current }) }
    const take = (layout: Layout) => {
      known.current = layout.known
      setMade({ id, layout })
    }
    if (keys.length <= AT_ONCE) {
      take(layOut(input))
      return
    }
    worker.current ??= new LayoutWorker()
    const own = worker.current
    const onMessage = ({ data }: MessageEvent<{ id: string; layout: Layout }>) => {
      if (data.id === id) take(data.layout)
    }
    own.addEventListener('message', onMessage)
    own.postMessage({ id, input })
    return () => own.removeEventListener('message', onMessage)
  }, [id])

  useEffect(() => () => worker.current?.terminate(), [])

  // A layout of fewer or more nodes cannot be drawn with these.
  return made && made.layout.nodes.length === keys.length && made.layout.edges.length === edges.length
    ? made.layout
    : undefined
}
