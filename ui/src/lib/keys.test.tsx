import { act, cleanup, renderHook } from '@testing-library/react'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type KeyMap, listenForKeys, useBoundKeys, useKeys } from './keys'
import { setSetting } from './settings'

beforeAll(listenForKeys)
afterEach(() => {
  cleanup()
  document.body.replaceChildren()
  setSetting('letters', true)
})

function press(key: string, target: EventTarget = document.body, init: KeyboardEventInit = {}) {
  target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...init }))
}

describe('useKeys', () => {
  it('runs what is bound, the newest binding first, until it is unmounted', () => {
    const outer = vi.fn()
    const inner = vi.fn()
    renderHook(() => useKeys({ f: outer }))
    const { unmount } = renderHook(() => useKeys({ f: { label: 'F', run: inner } }))
    press('f')
    unmount()
    press('f')
    expect([inner.mock.calls.length, outer.mock.calls.length]).toEqual([1, 1])
  })

  it('knows two keys in a row, and not what else follows the first', () => {
    const go = vi.fn()
    renderHook(() => useKeys({ 'g r': go }))
    press('g')
    press('x')
    press('r')
    expect(go).not.toHaveBeenCalled()
    press('g')
    press('r')
    expect(go).toHaveBeenCalledOnce()
  })

  it('is silent while somebody types, holds Ctrl, or has letters switched off', () => {
    const run = vi.fn()
    renderHook(() => useKeys({ f: run }))
    const input = document.body.appendChild(document.createElement('input'))
    press('f', input)
    press('f', document.body, { ctrlKey: true })
    setSetting('letters', false)
    press('f')
    expect(run).not.toHaveBeenCalled()
  })

  it('is silent under a dialog', () => {
    const run = vi.fn()
    renderHook(() => useKeys({ f: run }))
    document.body.appendChild(document.createElement('div')).setAttribute('role', 'dialog')
    press('f')
    expect(run).not.toHaveBeenCalled()
  })

  it('calls the function of the last render', () => {
    const calls: number[] = []
    const { rerender } = renderHook(({ n }) => useKeys({ f: () => calls.push(n) }), { initialProps: { n: 1 } })
    rerender({ n: 2 })
    press('f')
    expect(calls).toEqual([2])
  })

  it('lists what has a label, by scope', () => {
    const keys: KeyMap = { a: () => {}, b: { label: 'B', run: () => {} } }
    renderHook(() => useKeys(keys, { scope: 'Here' }))
    const { result } = renderHook(() => useBoundKeys())
    act(() => {})
    expect(result.current).toContainEqual({ scope: 'Here', keys: [['b', 'B']] })
  })
})
