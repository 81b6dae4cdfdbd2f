/**
 * Browsers draw nothing beyond some 16 million pixels, which is less than a million rows. So the scrolled box is at
 * most `LIMIT` high, and a place in it stands for a place in the log: exactly, while the log is shorter than that.
 */
export const LIMIT = 8_000_000

export class ScrollMap {
  /** Where the view begins in the log, in pixels of the log. */
  top = 0
  private seen = 0 // scrollTop of the box, as last known

  constructor(
    private height = 0,
    private view = 0,
  ) {}

  /** Height to give to the scrolled box. */
  get boxHeight(): number {
    return Math.min(this.height, LIMIT)
  }

  get isScaled(): boolean {
    return this.height > LIMIT
  }

  /** The scrollTop that the box had when it was last looked at. */
  get boxTop(): number {
    return this.seen
  }

  get maxTop(): number {
    return Math.max(0, this.height - this.view)
  }

  /** Where in the box a pixel of the log is now. */
  inBox(pixel: number): number {
    return pixel - this.top + this.seen
  }

  resize(height: number, view: number): void {
    this.height = height
    this.view = view
    this.top = Math.min(this.top, this.maxTop)
  }

  /**
   * The box was scrolled by the person: a step moves by as much. One that is no smaller than what a pixel of the scroll
   * bar stands for goes to the share of the whole.
   */
  moved(scrollTop: number): void {
    const step = scrollTop - this.seen
    const maxBox = Math.max(0, this.boxHeight - this.view)
    this.seen = scrollTop
    if (!this.isScaled) this.top = scrollTop
    else if (scrollTop <= 0) this.top = 0
    else if (scrollTop >= maxBox - 1) this.top = this.maxTop
    else if (Math.abs(step) < this.boxHeight / Math.max(1, this.view)) this.top += step
    else this.top = (scrollTop / maxBox) * this.maxTop
    this.top = Math.min(Math.max(this.top, 0), this.maxTop)
  }

  /** Go to a pixel of the log. Returns the scrollTop that the box must take. */
  goTo(pixel: number): number {
    this.top = Math.min(Math.max(pixel, 0), this.maxTop)
    const maxBox = Math.max(0, this.boxHeight - this.view)
    this.seen = this.isScaled ? Math.round((this.top / Math.max(1, this.maxTop)) * maxBox) : this.top
    return this.seen
  }
}
