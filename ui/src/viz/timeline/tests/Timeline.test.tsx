import { cleanup, fireEvent, render, screen, within } from '@testing-library/react'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { decodeFrame } from '../data'
import { Timeline, type TimelineProps } from '../Timeline'
import { BASE, dataOf, encodeFrame, type SampleRow } from './sample'

afterEach(cleanup)

const ROWS: SampleRow[] = [
  { seq: 1, name: 'extract', created: 0, start: 1e6, end: 3e6 },
  { seq: 2, name: 'transform', index: 0, created: 0, start: 3e6, end: 4.4e6, state: 'failed' },
  { seq: 3, name: 'transform', index: 1, created: 0, start: 3e6, state: 'running' },
  { seq: 4, name: 'publish', created: 2e6, state: 'scheduled', attempts: 0 },
]

function show(rows: SampleRow[], rest: Partial<TimelineProps> = {}) {
  const data = dataOf(rows)
  const props: TimelineProps = {
    data,
    now: BASE + 5e6,
    isLive: false,
    range: undefined,
    onRange: vi.fn(),
    selected: undefined,
    onSelect: vi.fn(),
    zone: 'UTC',
    ...rest,
  }
  render(<Timeline {...props} />)
  return { data, props }
}

function table(): string[][] {
  const [, ...rows] = within(screen.getByRole('table')).getAllByRole('row')
  return rows.map((row) =>
    within(row)
      .getAllByRole('cell')
      .map((cell) => cell.textContent!.replaceAll('\u202f', ' ')),
  )
}

describe('the table beside the picture', () => {
  it('tells every run as it is', () => {
    show(ROWS)
    expect(table().map((row) => row.slice(0, 2))).toEqual([
      ['extract', 'Completed'],
      ['transform[0]', 'Failed'],
      ['transform[1]', 'Running'],
      ['publish', 'Scheduled'],
    ])
    expect(table()[1]!.slice(3)).toEqual(['1.4 s', '3.0 s'])
    expect(table()[3]!.slice(2)).toEqual(['–', '–', '3.0 s'])
  })

  it('has one stop for the Tab key, moves with the arrows and chooses', () => {
    const { props } = show(ROWS)
    const buttons = within(screen.getByRole('table')).getAllByRole('button')
    expect(buttons.map(({ tabIndex }) => tabIndex)).toEqual([0, -1, -1, -1])
    buttons[0]!.focus()
    fireEvent.keyDown(buttons[0]!, { key: 'ArrowDown' })
    expect(document.activeElement).toBe(buttons[1])
    fireEvent.click(buttons[1]!)
    expect(props.onSelect).toHaveBeenCalledWith(2)
  })

  it('turns pages instead of growing', () => {
    show(Array.from({ length: 120 }, (_, at) => ({ seq: at + 1, name: 't', index: at, start: at, end: at + 1 })))
    expect(table()).toHaveLength(50)
    fireEvent.click(screen.getByRole('button', { name: 'Next' }))
    fireEvent.click(screen.getByRole('button', { name: 'Next' }))
    expect(table().map(([name]) => name)).toEqual(Array.from({ length: 20 }, (_, at) => `t[${100 + at}]`))
  })

  it('follows the data', async () => {
    const { data } = show(ROWS)
    data.apply(decodeFrame(encodeFrame([{ seq: 3, name: 'transform', index: 1, start: 3e6, end: 4e6 }])))
    await screen.findByText('Timeline')
    await vi.waitFor(() => expect(table()[2]![1]).toBe('Completed'))
  })
})

describe('around it', () => {
  it('counts by state, the worst first', () => {
    show(ROWS)
    const signs = within(screen.getByRole('list', { name: 'Runs by state' })).getAllByRole('listitem')
    expect(signs.map(({ textContent }) => textContent)).toEqual(['1 failed', '1 running', '1 waiting', '1 completed'])
  })

  it('shows failed ones only, on demand', () => {
    const onOnly = vi.fn()
    show(ROWS, { onOnly })
    fireEvent.click(screen.getByRole('button', { name: 'Only failed' }))
    expect(onOnly).toHaveBeenCalledWith('failed')
    cleanup()
    show(ROWS, { onOnly, only: 'failed' })
    expect(table().map(([name]) => name)).toEqual(['transform[0]'])
    expect(screen.getByRole('button', { name: 'Only failed' }).getAttribute('aria-pressed')).toBe('true')
  })

  it('says so when there is nothing', () => {
    show([])
    expect(screen.getByText('No task runs yet')).toBeTruthy()
    cleanup()
    show([ROWS[0]!], { only: 'failed' })
    expect(screen.getByText('Nothing failed')).toBeTruthy()
  })

  it('tells aloud where the cursor is', () => {
    show(ROWS)
    const picture = screen.getByRole('application')
    // Without a size nothing is drawn here, but the cursor still moves.
    fireEvent.keyDown(picture, { key: 'ArrowRight' })
    fireEvent.keyDown(picture, { key: 'ArrowDown' })
    expect(document.querySelector('[aria-live]')!.textContent!.replaceAll('\u202f', ' ')).toMatch(
      /^transform\[0\], failed, .*10:02:14\.000, 1\.4 s$/,
    )
  })
})
