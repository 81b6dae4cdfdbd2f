import { type RefObject, useEffect, useReducer, useRef } from 'react'
import type { LogFeed } from './feed'
import { ROW } from './LogRow'
import { ScrollMap } from './scroll'

/** Where the view is, and what moves it: the person, a link, new lines, and lines that come above it. */
export function useView(
  feed: LogFeed,
  box: RefObject<HTMLDivElement | null>,
  height: number,
  line: number | undefined,
) {
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  const state = useRef({
    map: new ScrollMap(),
    anchor: { n: 0, sub: 0, pixels: 0 },
    isFollowing: line === undefined,
    target: line,
    seen: 0,
    rest: 0,
  }).current
  const { map } = state

  const note = () => {
    const row = Math.floor(map.top / ROW)
    state.anchor = { ...feed.lineAt(row), pixels: map.top - row * ROW }
    if (isEnd()) state.seen = feed.lastNumber
  }
  const isEnd = () => !feed.hasAfter && map.top >= map.maxTop - 4

  const put = (pixel: number) => {
    const scrollTop = map.goTo(pixel)
    if (box.current && Math.abs(box.current.scrollTop - scrollTop) > 0.5) box.current.scrollTop = scrollTop
    note()
  }

  const settle = () => {
    const before = map.top
    map.resize(feed.rowCount * ROW + ROW, height)
    if (box.current?.firstElementChild) {
      // The browser clips a scrollTop beyond the height the box had so far.
      const spacer = box.current.lastElementChild as HTMLElement
      spacer.style.height = `${map.boxHeight}px`
    }
    if (feed.phase !== 'ready' || height === 0) return
    // What was there at first is not new.
    if (!state.seen) state.seen = feed.lastNumber
    if (state.target !== undefined && feed.isLoaded(state.target)) {
      put(feed.rowOf(state.target) * ROW - Math.max(0, Math.floor(height / 3 / ROW) * ROW))
      state.isFollowing = false
      state.target = undefined
    } else if (state.isFollowing && !feed.hasAfter) put(map.maxTop)
    else put((feed.rowOf(state.anchor.n) + state.anchor.sub) * ROW + state.anchor.pixels)
    if (map.top !== before || state.isFollowing) redraw()
  }

  const goToLine = useRef<number | undefined>(undefined)
  useEffect(() => {
    if (goToLine.current === line) return
    goToLine.current = line
    if (line === undefined || feed.phase !== 'ready') return
    if (feed.isLoaded(line)) {
      const row = feed.rowOf(line) * ROW
      const isShown = row >= map.top && row + ROW <= map.top + height
      if (isShown) state.target = undefined
      else state.target = line
      state.isFollowing = state.isFollowing && isShown
      settle()
    } else {
      state.target = line
      state.isFollowing = false
      void feed.open(line)
    }
  })

  const scrolled = () => {
    const scrollTop = box.current?.scrollTop ?? 0
    if (Math.abs(scrollTop - map.boxTop) < 1) return
    map.moved(scrollTop)
    state.isFollowing = isEnd()
    note()
    clearTimeout(state.rest)
    if (map.isScaled) state.rest = window.setTimeout(() => box.current && put(map.top), 400)
    redraw()
  }

  const toEnd = () => {
    state.isFollowing = true
    if (feed.hasAfter) void feed.open('end')
    else put(map.maxTop)
    redraw()
    box.current?.focus({ preventScroll: true })
  }
  const toStart = () => {
    state.isFollowing = false
    state.anchor = { n: 0, sub: 0, pixels: 0 }
    if (feed.hasBefore) void feed.open(1)
    else put(0)
    redraw()
  }

  const isAtEnd = state.isFollowing || isEnd()
  return { map, settle, scrolled, toEnd, toStart, isAtEnd, newer: isAtEnd ? 0 : feed.lastNumber - state.seen }
}
