import { describe, expect, it } from 'vitest'
import { faceOf, type GraphNode, pairsOf, relatives } from '../graph'
import { layOut } from '../layout'
import { fitView, revealNode, zoomView } from '../shape'
import { walk } from '../walk'
import { input } from './shapes'

const node = (name: string, states: Record<string, number>): GraphNode => ({
  key: `task:${name}`,
  kind: 'task',
  name,
  states,
  started_at: null,
  ended_at: null,
})

describe('a node', () => {
  it('is as bad as its worst run', () => {
    expect(faceOf(node('t', { completed: 8, failed: 1, running: 2 }))).toEqual({
      state: 'failed',
      word: 'Failed',
      count: '9/11',
      total: 11,
      done: 9,
      isAhead: false,
      isRunning: true,
    })
  })

  it('is ahead while none of its runs has begun', () => {
    expect(faceOf(node('t', { scheduled: 3, pending: 1 })).isAhead).toBe(true)
    expect(faceOf(node('t', {})).isAhead).toBe(true)
    expect(faceOf(node('t', { scheduled: 3, completed: 1 })).isAhead).toBe(false)
  })
})

describe('edges', () => {
  it('leaves out one to a node that is not there yet', () => {
    const nodes = [node('a', {}), node('b', {})]
    const { pairs, edges } = pairsOf({
      nodes,
      edges: [
        { from: 'task:a', to: 'task:b', count: 1 },
        { from: 'task:b', to: 'task:later', count: 1 },
      ],
    })
    expect(pairs).toEqual([[0, 1]])
    expect(edges).toHaveLength(1)
  })

  it('knows all that is before and after a node, in cycles too', () => {
    const { keys, edges } = input('a b c d e', 'a>b b>c c>b c>d e>d')
    const names = (at: number) => keys.filter((_, number) => relatives(5, edges, at)![number]).join('')
    expect(names(1)).toBe('abcd')
    expect(names(3)).toBe('abcde')
    expect(names(4)).toBe('de')
    expect(relatives(5, edges, undefined)).toBeUndefined()
  })
})

describe('walking with the arrow keys', () => {
  const given = input('a b c d', 'a>b a>c b>d c>d')
  const layout = layOut(given)
  const go = (from: number, key: string) => walk(layout, given.edges, from, key)

  it('follows the edges and the ranks', () => {
    expect(go(0, 'ArrowRight')).toBe(1)
    expect(go(1, 'ArrowDown')).toBe(2)
    expect(go(2, 'ArrowUp')).toBe(1)
    expect(go(2, 'ArrowRight')).toBe(3)
    expect(go(2, 'ArrowLeft')).toBe(0)
    expect(go(3, 'ArrowRight')).toBe(3)
    expect(go(3, 'Home')).toBe(0)
    expect(go(0, 'End')).toBe(3)
    expect(go(0, 'x')).toBeUndefined()
  })

  it('goes as it looks when the graph runs downwards', () => {
    const down = layOut({ ...given, direction: 'down' })
    expect(walk(down, given.edges, 0, 'ArrowDown')).toBe(1)
    expect(walk(down, given.edges, 1, 'ArrowRight')).toBe(2)
  })
})

describe('the view', () => {
  const layout = layOut(input('a b c d e f', 'a>b b>c c>d d>e e>f'))

  it('shows everything, in the middle, not enlarged', () => {
    expect(fitView(layout, 2000, 400)).toEqual({ scale: 1, x: (2000 - layout.width) / 2, y: (400 - layout.height) / 2 })
  })

  it('begins with the first node when all of it would be too small to read', () => {
    const view = fitView(layout, 300, 400, 0.6)
    expect(view.scale).toBe(0.6)
    expect(view.x).toBe(20)
  })

  it('zooms around a point', () => {
    const view = zoomView({ scale: 1, x: 10, y: 20 }, 2, { x: 110, y: 70 }, 0.1)
    expect(view).toEqual({ scale: 2, x: -90, y: -30 })
    expect(zoomView(view, 100, { x: 0, y: 0 }, 0.1).scale).toBe(2)
    expect(zoomView(view, 1e-9, { x: 0, y: 0 }, 0.1).scale).toBe(0.1)
  })

  it('moves no further than a node needs to be seen', () => {
    const size = { width: 160, height: 54 }
    const view = { scale: 1, x: 0, y: 0 }
    expect(revealNode(view, { x: 100, y: 100 }, size, 600, 400)).toEqual(view)
    expect(revealNode(view, { x: 500, y: 100 }, size, 600, 400)).toEqual({ scale: 1, x: -80, y: 0 })
    expect(revealNode(view, { x: -50, y: 390 }, size, 600, 400)).toEqual({ scale: 1, x: 70, y: -64 })
  })
})
