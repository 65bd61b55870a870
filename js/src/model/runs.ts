/** The run under way: its number, its progress, its frames. Reports about an older run, or after the end, are stale. */
import type { Progress } from "../kernel/messages"
import { type Frame, Frames } from "./frames"
import type { Pace } from "./pace"
import { isBusy } from "./progress"

/** Follows runs by what the kernel reports, in whatever order it arrives. */
export class Runs {
  /** The pictures of the steps. */
  readonly frames: Frames
  /** The newest run known to be over. */
  private ended = -1
  /** When the run under way began, and when its progress was last heard of. */
  private begun = 0
  private heard = 0
  /** The largest share of it that was told. */
  private told = 0

  /** `redraw` is called when a frame should be drawn, `painted` once the browser has drawn it. */
  constructor(
    /** How far the newest run has come. */
    public progress: Progress,
    redraw: () => void,
    painted: (frame: Frame) => void,
  ) {
    this.frames = new Frames(redraw, painted)
  }

  /** Whether a run is under way. */
  get busy(): boolean {
    return isBusy(this.progress)
  }

  /** How far the run under way has come by the clock: seconds so far and left, and the share that is done. */
  get pace(): Pace {
    const { eta, step, total } = this.progress
    const now = performance.now()
    const elapsed = Math.max(0, (now - this.begun) / 1000)
    // A guess that has run out was too short: then more is left the longer it takes.
    const least = step > 0 ? 0 : elapsed / 8
    const left = eta === null ? null : Math.max(least, eta - (now - this.heard) / 1000)
    const steps = total > 0 && step > 0 ? step / total : null
    const share = left === null ? steps : elapsed / Math.max(0.001, elapsed + left)
    // A bar that goes back would say that work was lost.
    if (share !== null) this.told = Math.min(0.99, Math.max(this.told, share))
    return { elapsed, left, share: share === null ? null : this.told }
  }

  /** Begins the next run, which `send` tells the kernel about; if that fails, nothing has begun. */
  begin(steps: number, send: (run: number) => boolean): void {
    const before = this.progress
    const run = before.run + 1
    this.frames.expect(run)
    this.progress = { state: "running", message: "", step: 0, total: steps, eta: null, run }
    this.starts()
    if (!send(run)) this.progress = before
  }

  /** Notes that a stop was asked for. */
  stopping(): void {
    this.progress = { ...this.progress, state: "stopping", message: "" }
  }

  /** Takes the number of the kernel's newest run from its `ready` message. */
  greeted(run: number | null): void {
    if (run !== null && run > this.progress.run) this.progress = { ...this.progress, run }
  }

  /** Takes progress from a message or the trait. Returns false if it is stale. */
  take(next: Progress): boolean {
    if (next.run < this.progress.run || (isBusy(next) && next.run <= this.ended)) return false
    if (next.run > this.progress.run && isBusy(next)) this.frames.expect(next.run)
    // The clock starts anew when a wait for others is over: from then on something is known of the time left.
    const turn = this.progress.eta === null && next.eta !== null && next.step === 0
    if (isBusy(next) && (next.run > this.progress.run || !this.busy || turn)) this.starts()
    this.heard = performance.now()
    const stopping = this.progress.state === "stopping" && next.state === "running"
    this.progress = stopping ? { ...next, state: "stopping" } : next
    // The last frame stays until the result has been decoded.
    if (!isBusy(next) && next.state !== "done") this.frames.clear(next.run)
    return true
  }

  private starts(): void {
    this.begun = performance.now()
    this.heard = this.begun
    this.told = 0
  }

  /** Takes the end of a run, by its result or by Stop. Returns false if it is stale. */
  end(run: number, state: "done" | "ready", message: string): boolean {
    if (run < this.progress.run) return false
    this.ended = run
    return this.take({ ...this.progress, state, message, ...(state === "done" ? { run } : {}) })
  }

  /** Takes a failure, in a run or (null) outside any. Returns false if it is stale. */
  fail(run: number | null, message: string): boolean {
    if (run === null) return true
    if (run < this.progress.run) return false
    this.ended = run
    this.frames.clear(run)
    this.progress = { ...this.progress, state: "error", message, run }
    return true
  }
}
