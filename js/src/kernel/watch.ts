/** Watches whether the kernel answers: greets it, asks after it while anyone looks, and says what it thinks. */
import type { Host } from "./host"
import { type Heard, judge, kernelStatusOf, type Liveness } from "./liveness"

const PING_EVERY = 5_000
const LOOK_EVERY = 1_000

export class KernelWatch {
  liveness: Liveness = "waiting"
  private heard: Heard = {
    opened: Date.now(),
    asked: null,
    last: null,
    suspicious: false,
    kernelStatus: null,
  }
  private readonly views = new Map<string, boolean>()
  private visible = false
  private readonly timer: ReturnType<typeof setInterval>

  constructor(
    private readonly host: Host,
    private readonly changed: () => void,
  ) {
    // Jupyter's own event: the comm was made anew, or the kernel has left it.
    host.on("comm_live_update", () => {
      this.heard = { ...this.heard, suspicious: this.heard.last !== null }
      this.ping()
    })
    this.greet()
    this.timer = setInterval(() => this.look(), LOOK_EVERY)
  }

  /** Anything from the kernel is a sign of life. */
  hear(): void {
    this.heard = { ...this.heard, last: Date.now(), asked: null, suspicious: false }
    this.judge()
  }

  /** A view opened or came into sight (true), left it (false), or was closed (null). */
  see(view: string, visible: boolean | null): void {
    if (visible === null) this.views.delete(view)
    else this.views.set(view, visible)
    const any = [...this.views.values()].some((v) => v)
    if (any === this.visible) return
    this.visible = any
    this.host.send("visible", { visible: any })
  }

  close(): void {
    clearInterval(this.timer)
  }

  private greet(): void {
    const have = (bytes: string, info: string, key: string) =>
      this.host.bytes(bytes) ? (this.host.record(info)[key] ?? null) : null
    const image = have("_image", "_image_info", "rev")
    this.host.send("hello", { view: "model", have: { image, result: have("_result", "_result_info", "id") } })
  }

  private ping(): void {
    if (this.heard.asked === null) this.heard = { ...this.heard, asked: Date.now() }
    this.host.send("ping")
  }

  private look(): void {
    const now = Date.now()
    const { last, asked, opened } = this.heard
    const due = (since: number) => (now - since) % PING_EVERY < LOOK_EVERY
    // A kernel that is busy at first may still come: keep asking, seldom.
    if (last === null && due(opened)) this.greet()
    if (last !== null && this.visible) {
      if (asked === null ? now - last > PING_EVERY : due(asked)) this.ping()
    }
    this.judge()
  }

  private judge(): void {
    this.heard = { ...this.heard, kernelStatus: kernelStatusOf(this.host.model.widget_manager) }
    const liveness = judge(this.heard, Date.now())
    if (liveness === this.liveness) return
    this.liveness = liveness
    this.changed()
  }
}
