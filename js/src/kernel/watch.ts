/** Watches whether the kernel answers: greets it, and pings it while a view is on the screen. */
import type { Host } from "./host"
import { type Heard, isDead, judge, kernelStatusOf, type Liveness } from "./liveness"

/** Milliseconds of silence before a ping, and between pings. */
const PING_EVERY = 5_000
/** Milliseconds between two checks. */
const CHECK_EVERY = 1_000

/** Knows whether a kernel is there, and tells it whether a view is on the screen. */
export class KernelWatch {
  /** Whether a kernel answers, as of now. */
  liveness: Liveness = "waiting"
  private heard: Heard = {
    opened: Date.now(),
    asked: null,
    last: null,
    suspicious: false,
    kernelStatus: null,
    ended: false,
  }
  private readonly views = new Map<string, boolean>()
  private visible = false
  private closed = false
  private timer: ReturnType<typeof setInterval> | undefined

  /** `changed` is called when `liveness` has changed. */
  constructor(
    private readonly host: Host,
    private readonly changed: () => void,
  ) {
    // Jupyter's own event: the comm was opened again, or the kernel has left it.
    host.on("comm_live_update", () => {
      this.heard = { ...this.heard, suspicious: this.heard.last !== null }
      this.judge()
      this.ping()
    })
    // Anything from the kernel is a sign of life.
    host.heard.on(() => {
      this.heard = { ...this.heard, last: Date.now(), asked: null, suspicious: false, ended: false }
      this.judge()
    })
  }

  /** Greets the kernel and begins to watch it. */
  start(): void {
    this.greet()
    this.timer = setInterval(() => this.check(), CHECK_EVERY)
  }

  /** Notes that a view came into sight (true), left it (false), or was closed (null). */
  setVisible(view: string, visible: boolean | null): void {
    if (this.closed) return
    if (visible === null) this.views.delete(view)
    else this.views.set(view, visible)
    const any = [...this.views.values()].some((v) => v)
    if (any === this.visible) return
    this.visible = any
    this.host.send("visible", { visible: any })
  }

  /** Stops watching. */
  close(): void {
    this.closed = true
    clearInterval(this.timer)
  }

  private greet(): void {
    const { host } = this
    const image = host.get("_image") ? host.get("_image_info").rev : null
    const result = host.get("_result") ? (host.get("_result_info")?.id ?? null) : null
    host.send("hello", { view: "model", have: { image, result } })
  }

  private ping(): void {
    if (this.heard.asked === null) this.heard = { ...this.heard, asked: Date.now() }
    this.host.send("ping", {})
  }

  private check(): void {
    const now = Date.now()
    const { last, asked, opened } = this.heard
    const due = (since: number) => (now - since) % PING_EVERY < CHECK_EVERY
    // A kernel that is busy at first may still answer: keep asking, now and then.
    if (last === null && due(opened)) this.greet()
    if (last !== null && this.visible) {
      if (asked === null ? now - last > PING_EVERY : due(asked)) this.ping()
    }
    this.judge()
  }

  private judge(): void {
    const kernelStatus = kernelStatusOf(this.host.model.widget_manager)
    this.heard = { ...this.heard, kernelStatus, ended: this.heard.ended || isDead(kernelStatus) }
    const liveness = judge(this.heard, Date.now())
    if (liveness === this.liveness) return
    this.liveness = liveness
    this.changed()
  }
}
