/** A Python traceback taken apart: whose frames are whose, so that a person's own code stands out. */

export interface FrameLine {
  kind: 'frame'
  file: string
  line: number
  name: string
  /** The source line and the marks under it. */
  code: string[]
  isLibrary: boolean
}

export interface TextLine {
  kind: 'text'
  text: string
}

export interface Folded {
  kind: 'folded'
  frames: FrameLine[]
}

export type Part = FrameLine | TextLine | Folded

const FRAME = /^\s*File "(.+)", line (\d+)(?:, in (.+))?$/
const LIBRARY =
  /[\\/](site-packages|dist-packages|lib[\\/]python[\d.]+)[\\/]|^<frozen |[\\/]stellwerk[\\/](execute|sdk|client|engine)[\\/]/

/** Read a traceback: frames with their code, and the lines between. Lines it does not know stay as they are. */
export function readTraceback(text: string): (FrameLine | TextLine)[] {
  const parts: (FrameLine | TextLine)[] = []
  let frame: FrameLine | null = null
  for (const line of text.replace(/\n+$/, '').split('\n')) {
    const found = FRAME.exec(line)
    if (found) {
      const [, file = '', number = '0', name = ''] = found
      frame = { kind: 'frame', file, line: Number(number), name, code: [], isLibrary: LIBRARY.test(file) }
      parts.push(frame)
    } else if (frame && /^\s{4}/.test(line)) {
      frame.code.push(line)
    } else {
      frame = null
      parts.push({ kind: 'text', text: line })
    }
  }
  return parts
}

/** Put frames of libraries that follow one another into one, to be unfolded. The last frame of all stays. */
export function foldLibraries(parts: (FrameLine | TextLine)[]): Part[] {
  const last = parts.findLastIndex((part) => part.kind === 'frame')
  const folded: Part[] = []
  parts.forEach((part, place) => {
    if (part.kind !== 'frame' || !part.isLibrary || place === last) {
      folded.push(part)
      return
    }
    const before = folded.at(-1)
    if (before?.kind === 'folded') before.frames.push(part)
    else folded.push({ kind: 'folded', frames: [part] })
  })
  return folded
}

/** Leave out what says again what stands above the traceback: its heading and the exception itself. */
export function withoutEnds(parts: (FrameLine | TextLine)[], error: { type: string; message: string }) {
  const raised = error.message ? `${error.type}: ${error.message}` : error.type
  const tail = raised.split('\n').length
  const end = parts.slice(-tail)
  const isSaid =
    end.every((part) => part.kind === 'text') &&
    end
      .map((part) => (part as TextLine).text)
      .join('\n')
      .endsWith(raised)
  return isSaid ? parts.slice(0, -tail) : parts
}
