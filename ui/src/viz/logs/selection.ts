/**
 * Selecting text in a log of which only the rows on screen are in the page.
 *
 * The browser keeps a selection as long as both its ends exist. So the rows that hold them stay in the page when they
 * are scrolled away (`pins`), and what is copied is written from the model, for all rows in between.
 */
import { type RefObject, useEffect, useState } from 'react'
import { textOfRow } from './LogRow'
import type { LogWindow, Row } from './window'

/** A row by its line and its place within it. */
export interface RowId {
  n: number
  sub: number
}

interface End extends RowId {
  offset: number
}

/** Both ends of the selection, the earlier one first; null when it is empty or not wholly within the log. */
export function selectedEnds(host: HTMLElement): [End, End] | null {
  return document.getSelection()?.isCollapsed ? null : rangeEnds(host)
}

/** The same where both ends may be one: from there a selection may be drawn, by Shift and a click. */
function rangeEnds(host: HTMLElement): [End, End] | null {
  const selection = document.getSelection()
  if (!selection || selection.rangeCount === 0) return null
  const range = selection.getRangeAt(0)
  const from = endOf(host, range.startContainer, range.startOffset)
  const to = endOf(host, range.endContainer, range.endOffset)
  if (!from || !to) return null
  return [from, to]
}

function endOf(host: HTMLElement, node: Node, offset: number): End | null {
  const element = node instanceof Element ? node : node.parentElement
  if (!element || !host.contains(element)) return null
  const row = element.closest<HTMLElement>('[data-sub]') ?? rowBeside(node, offset)
  if (!row) return null
  const before = document.createRange()
  before.selectNodeContents(row)
  if (row.contains(node)) before.setEnd(node, offset)
  else before.collapse(true)
  return { n: Number(row.dataset.n), sub: Number(row.dataset.sub), offset: before.toString().length }
}

/** An end may lie between rows: it then stands for the beginning of the row that follows. */
function rowBeside(node: Node, offset: number): HTMLElement | null {
  const child = node.childNodes[offset] ?? node.lastChild
  return child instanceof HTMLElement && child.dataset.sub !== undefined ? child : null
}

/** What is selected, from the model. A line that was wrapped is one line again. */
export function selectedText(window: LogWindow, [from, to]: [End, End], zone: string): string {
  let text = ''
  let isFirst = true
  const last = window.indexOf(to.n)
  for (let index = window.indexOf(from.n); index <= last && index < window.entries.length; index++) {
    const entry = window.entries[index]!
    const rows = window.rows(entry)
    const first = entry.n === from.n ? from.sub : 0
    const end = entry.n === to.n ? Math.min(to.sub, rows.length - 1) : rows.length - 1
    for (let sub = first; sub <= end; sub++) {
      const row = rows[sub]!
      const whole = textOfRow(entry, row, sub, zone)
      const start = entry.n === from.n && sub === from.sub ? from.offset : 0
      const stop = entry.n === to.n && sub === to.sub ? to.offset : whole.length
      if (!isFirst && isNewLine(row)) text += '\n'
      text += whole.slice(start, stop)
      isFirst = false
    }
  }
  return text
}

function isNewLine(row: Row): boolean {
  return row.kind === 'fold' || row.isLineStart || row.from === 0
}

/** The rows in which the selection begins and ends. */
export function usePins(box: RefObject<HTMLDivElement | null>): RowId[] {
  const [pins, setPins] = useState<RowId[]>([])
  useEffect(() => {
    const look = () => {
      const ends = box.current && rangeEnds(box.current)
      const next = ends ? ends.map(({ n, sub }) => ({ n, sub })) : []
      setPins((known) => (JSON.stringify(known) === JSON.stringify(next) ? known : next))
    }
    document.addEventListener('selectionchange', look)
    return () => document.removeEventListener('selectionchange', look)
  }, [box])
  return pins
}
