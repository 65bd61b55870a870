/** Frames: the kernel's pictures of the steps of a run. They are decoded here, and acknowledged once painted. */
import type { KernelMessage } from "../kernel/messages"

/** A decoded frame. */
export interface Frame extends KernelMessage<"preview"> {
  readonly image: ImageBitmap
}

/** Holds the newest frame of a run. */
export class Frames {
  /** The frame on the screen, or null. */
  current: Frame | null = null
  private newest = -1
  private run = -1
  /** How many frames are being decoded or wait to be painted, and who waits for them. */
  private underWay = 0
  private waiting: (() => void) | null = null
  private timer: ReturnType<typeof setTimeout> | undefined

  /** `redraw` is called when a frame should be drawn, `painted` once the browser has drawn it. */
  constructor(
    private readonly redraw: (frame: Frame) => void,
    private readonly painted: (frame: Frame) => void,
  ) {}

  /** Takes a `preview` message: shows its picture, unless a newer one has come or the run is over. */
  async receive(
    message: KernelMessage<"preview">,
    bytes: Uint8Array<ArrayBuffer> | undefined,
  ): Promise<void> {
    if (!bytes || bytes.length === 0) {
      console.warn("regiondrag: a preview without a picture was ignored")
      return
    }
    const { run, seq, mime } = message
    if (run !== this.run) {
      if (run < this.run) return
      this.run = run
      this.newest = -1
    }
    if (seq <= this.newest) return
    this.newest = seq
    this.underWay++
    let image: ImageBitmap
    try {
      image = await createImageBitmap(new Blob([bytes], { type: mime }))
    } catch {
      console.warn("regiondrag: a preview did not decode")
      return this.finish()
    }
    // While this one was decoded, a newer one may have come or the run may have ended.
    if (run !== this.run || seq < this.newest) {
      image.close()
      return this.finish()
    }
    this.current?.image.close()
    this.current = { ...message, image }
    const frame = this.current
    this.redraw(frame)
    // The views requested this animation frame before us: once it is our turn, they have drawn.
    requestAnimationFrame(() => {
      this.painted(frame)
      this.finish()
    })
  }

  /** Calls back once every frame that has come is on the screen; soon, if nothing is being painted. */
  whenPainted(then: () => void): void {
    clearTimeout(this.timer)
    if (this.underWay === 0) return then()
    this.waiting = then
    // A page out of sight has no animation frames.
    this.timer = setTimeout(() => this.release(), 300)
  }

  /** Drops the frame on the screen; frames of this run and older ones that still arrive are ignored. */
  clear(run: number): void {
    this.run = Math.max(this.run, run)
    this.newest = Number.POSITIVE_INFINITY
    this.current?.image.close()
    this.current = null
    this.waiting = null
    clearTimeout(this.timer)
  }

  /** Accepts the frames of a run that is about to begin. */
  expect(run: number): void {
    this.clear(run)
    this.newest = -1
  }

  private finish(): void {
    if (--this.underWay === 0) this.release()
  }

  private release(): void {
    clearTimeout(this.timer)
    const then = this.waiting
    this.waiting = null
    then?.()
  }
}
