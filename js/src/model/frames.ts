/** Preview frames of a run: decoded off the main path, the newest alone is shown, acknowledged once painted. */
import type { Message } from "../kernel/host"

export interface Frame {
  readonly image: ImageBitmap
  /** x0, y0, x1, y1 of the picture that the frame covers. */
  readonly box: readonly [number, number, number, number]
  readonly run: number
  readonly seq: number
  readonly step: number
  readonly total: number
  readonly kind: "step" | "draft"
}

export class Frames {
  current: Frame | null = null
  private newest = -1
  private run = -1
  /** Frames that are being decoded or wait for their paint, and who waits for them. */
  private underWay = 0
  private waiting: (() => void) | null = null
  private timer: ReturnType<typeof setTimeout> | undefined

  /** `shown` is called when a frame should be drawn, `painted` once the browser has drawn it. */
  constructor(
    private readonly shown: (frame: Frame) => void,
    private readonly painted: (frame: Frame) => void,
  ) {}

  async push(message: Message, bytes: Uint8Array<ArrayBuffer> | undefined): Promise<void> {
    const meta = frameFields(message)
    if (!meta || !bytes || bytes.length === 0) {
      console.warn("regiondrag: a preview without a picture was ignored")
      return
    }
    if (meta.run !== this.run) {
      if (meta.run < this.run) return
      this.run = meta.run
      this.newest = -1
    }
    if (meta.seq <= this.newest) return
    this.newest = meta.seq
    this.underWay++
    let image: ImageBitmap
    try {
      image = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }))
    } catch {
      console.warn("regiondrag: a preview did not decode")
      return this.landed()
    }
    // While this one decoded, a newer one may have come or the run may have ended.
    if (meta.run !== this.run || meta.seq < this.newest) {
      image.close()
      return this.landed()
    }
    this.current?.image.close()
    this.current = { ...meta, image }
    const frame = this.current
    this.shown(frame)
    // The views asked for this animation frame before us: once it is our turn they have drawn.
    requestAnimationFrame(() => {
      this.painted(frame)
      this.landed()
    })
  }

  /** Calls back once every frame that has come is on the screen: at once, or soon where nothing is painted. */
  whenPainted(then: () => void): void {
    clearTimeout(this.timer)
    if (this.underWay === 0) return then()
    this.waiting = then
    // A page out of sight has no animation frames.
    this.timer = setTimeout(() => this.release(), 300)
  }

  /** Drops the frame on show; frames of this run and older ones that still arrive are ignored. */
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

  private landed(): void {
    if (--this.underWay === 0) this.release()
  }

  private release(): void {
    clearTimeout(this.timer)
    const then = this.waiting
    this.waiting = null
    then?.()
  }
}

function frameFields(message: Message): Omit<Frame, "image"> | null {
  const whole = (value: unknown) => (typeof value === "number" && Number.isInteger(value) ? value : null)
  const run = whole(message.run)
  const seq = whole(message.seq)
  const box = message.box
  if (run === null || seq === null || !Array.isArray(box) || box.length !== 4) return null
  if (!box.every((n) => typeof n === "number" && Number.isFinite(n))) return null
  return {
    run,
    seq,
    step: whole(message.step) ?? 0,
    total: whole(message.total) ?? 0,
    box: box as unknown as Frame["box"],
    kind: message.kind === "draft" ? "draft" : "step",
  }
}
