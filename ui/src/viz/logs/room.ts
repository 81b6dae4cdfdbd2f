/** How much room the log has, and how its columns share it. */
import { type RefObject, useLayoutEffect, useState } from 'react'

const LONGEST_NAME = { much: 24, some: 14, little: 0 } // characters of a run's name that are shown

export interface Room {
  name: 'much' | 'some' | 'little'
  /** Pixels of the column of numbers. */
  number: number
  /** Characters of time, level and name. */
  head: number
  /** Pixels before the message. */
  before: number
  /** Characters of a message in one row. */
  columns: number
}

export function roomOf(width: number, character: number, longestName: number): Room {
  const name = width > 720 ? 'much' : width > 440 ? 'some' : 'little'
  const number = name === 'much' ? Math.round(7 * character + 12) : 12
  const time = name === 'little' ? 9 : 13
  const level = name === 'little' ? 2 : 8
  const head = time + level + (name === 'little' ? 0 : Math.min(LONGEST_NAME[name], longestName) + 3)
  const before = number + Math.round(head * character)
  // One column stays free: a character that came out wider than it should must not be cut.
  return { name, number, head, before, columns: Math.max(10, Math.floor((width - before - 12) / character) - 1) }
}

/** Size of the box, and of a character: the font is monospaced, so one measurement serves all lines. */
export function useSize(box: RefObject<HTMLDivElement | null>) {
  const [size, setSize] = useState({ width: 0, height: 0, character: 7.2 })
  useLayoutEffect(() => {
    const element = box.current
    const probe = element?.querySelector('[data-probe]')
    if (!element || !probe) return
    const measure = () => {
      const character = probe.getBoundingClientRect().width / 100 || 7.2
      const next = { width: element.clientWidth, height: element.clientHeight, character }
      setSize((known) =>
        known.width === next.width && known.height === next.height && known.character === character ? known : next,
      )
    }
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    observer.observe(probe)
    return () => observer.disconnect()
  }, [box])
  return size
}
