/** The run under way: its number, its progress, its frames. What is said of an older run, or after the end, is stale. */
import { type Frame, Frames } from "./frames"
import { isBusy, type Progress } from "./settings"

export class Runs {
  readonly frames: Frames
  /** The newest run known to be over. */
  private ended = -1

  constructor(
    public progress: Progress,
    shown: () => void,
    painted: (frame: Frame) => void,
  ) {
    this.frames = new Frames(shown, painted)
  }

  get busy(): boolean {
    return isBusy(this.progress)
  }

  /** Begins the next run, which `send` tells the kernel of; where that fails nothing has begun. */
  begin(steps: number, send: (run: number) => boolean): void {
    const before = this.progress
    const run = before.run + 1
    this.frames.expect(run)
    this.progress = { state: "running", message: "", step: 0, total: steps, eta: null, run }
    if (!send(run)) this.progress = before
  }

  stopping(): void {
    this.progress = { ...this.progress, state: "stopping", message: "" }
  }

  /** The kernel's newest run, told as it greets. */
  greeted(run: unknown): void {
    if (typeof run === "number" && run > this.progress.run) this.progress = { ...this.progress, run }
  }

  /** Progress from a message or the trait; false where it is stale. */
  take(next: Progress): boolean {
    if (next.run < this.progress.run || (isBusy(next) && next.run <= this.ended)) return false
    if (next.run > this.progress.run && isBusy(next)) this.frames.expect(next.run)
    const stopping = this.progress.state === "stopping" && next.state === "running"
    this.progress = stopping ? { ...next, state: "stopping" } : next
    // The last step stays on show until its result has decoded.
    if (!isBusy(next) && next.state !== "done") this.frames.clear(next.run)
    return true
  }

  /** The run's end, by its result or by Stop; false where it is stale. */
  end(run: number, state: "done" | "ready", message: string): boolean {
    if (run < this.progress.run) return false
    this.ended = run
    return this.take({ ...this.progress, state, message, ...(state === "done" ? { run } : {}) })
  }

  /** Trouble, with a run or (null) without; false where it is stale. */
  fail(run: number | null, message: string): boolean {
    if (run === null) return true
    if (run < this.progress.run) return false
    this.ended = run
    this.frames.clear(run)
    this.progress = { ...this.progress, state: "error", message, run }
    return true
  }
}
