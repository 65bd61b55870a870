/**
 * What one model knows, whatever the number of its views: the picture, the regions, the run under way, the
 * results, and whether a kernel listens. Views draw it and call it; it never touches the page.
 */
import { Frames } from "./frames"
import { Host, type HostModel, type Message } from "./host"
import type { Liveness } from "./liveness"
import { LARGEST_FILE, type Picture, Slot, upload } from "./pictures"
import { completePairs } from "./regions"
import { inWords, isBusy, type Progress, progressFrom, type Settings, settingsFrom } from "./settings"
import { Signal } from "./signal"
import { RegionStore } from "./store"
import { RegionSync } from "./sync"
import { KernelWatch } from "./watch"

export interface ResultInfo {
  readonly id: string
  readonly run: number
  readonly seed: number
  readonly seconds: number
}

export interface Entry {
  readonly id: string
  readonly seed: number
  readonly seconds: number
  readonly label: string
}

export interface Trouble {
  readonly message: string
  readonly remedy: string
}

export class Session {
  readonly store = new RegionStore()
  readonly changed = new Signal()
  /** A short word to the user, gone with the next change of state. */
  readonly said = new Signal<string>()
  readonly host: Host
  readonly frames: Frames
  pictureName = ""
  resultInfo: ResultInfo | null = null
  /** What the views show: the picture with its regions, or the result. */
  show: "edit" | "result" = "edit"
  progress: Progress
  settings: Settings
  trouble: Trouble | null = null
  private readonly sync: RegionSync
  private readonly watch: KernelWatch
  private readonly pictureSlot = new Slot()
  private readonly resultSlot = new Slot()
  /** The newest run known to be over: what is said of it later is stale. */
  private ended = -1
  private closed = false
  private rev = ""
  private saveTimer: ReturnType<typeof setTimeout> | undefined
  private liveTimer: ReturnType<typeof setTimeout> | undefined

  constructor(model: HostModel) {
    this.host = new Host(model)
    this.frames = new Frames(
      () => this.changed.emit(),
      (frame) => this.host.send("ack", { run: frame.run, seq: frame.seq }),
    )
    this.progress = progressFrom(this.host.record("_state"))
    this.settings = settingsFrom(this.host.record("settings"), this.defaults)
    this.sync = new RegionSync(this.host, this.store, (message) => this.complain(message, "Draw it again."))
    this.store.changed.on(() => this.changed.emit())
    this.store.committed.on(() => this.runLive())
    this.listen()
    void this.loadPicture()
    void this.loadResult()
    this.watch = new KernelWatch(this.host, () => this.changed.emit())
  }

  get picture(): Picture | null {
    return this.pictureSlot.picture
  }
  get result(): Picture | null {
    return this.resultSlot.picture
  }
  get liveness(): Liveness {
    return this.watch?.liveness ?? "waiting"
  }
  get defaults(): Settings {
    return settingsFrom(this.host.record("_defaults"))
  }
  get models(): string[] {
    const models = this.host.list("_models").filter((m) => typeof m === "string") as string[]
    return models.includes(this.settings.model) ? models : [this.settings.model, ...models]
  }
  get history(): Entry[] {
    return this.host.list("_history").flatMap((value) => {
      const entry = value as Record<string, unknown> | null
      if (!entry || typeof entry.id !== "string") return []
      const number = (key: string) => (typeof entry[key] === "number" ? (entry[key] as number) : 0)
      const label = typeof entry.label === "string" ? entry.label : ""
      return [{ id: entry.id, seed: number("seed"), seconds: number("seconds"), label }]
    })
  }
  get busy(): boolean {
    return isBusy(this.progress)
  }
  get readOnly(): boolean {
    return this.liveness === "readonly"
  }
  /** Whether drawing makes sense now. */
  get canDraw(): boolean {
    return this.picture !== null && this.show === "edit" && !this.readOnly
  }
  /** Why an edit cannot be run, in words; empty when it can. */
  get obstacle(): string {
    if (!this.picture) return "Open a picture first"
    if (this.readOnly) return "No kernel: read only"
    if (this.liveness === "gone") return "Kernel gone: run the cell again"
    if (completePairs(this.store.regions).length === 0) {
      return "Paint what should move, then drag it to its place"
    }
    return ""
  }
  get status(): string {
    if (this.liveness === "readonly") return "No kernel: read only"
    if (this.liveness === "gone") return "Kernel gone: run the cell again"
    if (this.liveness === "busy" && !this.busy) return "Kernel busy: it will answer when its cell has ended"
    if (this.show === "result" && this.resultInfo && !this.busy) {
      const { seed, seconds } = this.resultInfo
      return `Result: seed ${seed}${seconds ? `, ${seconds.toFixed(1)} s` : ""}`
    }
    return inWords(this.progress)
  }

  run(overrides: Partial<Settings> = {}): void {
    if (this.obstacle) return this.said.emit(this.obstacle)
    this.flush()
    if (Object.keys(overrides).length > 0) this.change(overrides, true)
    const run = this.progress.run + 1
    const { pairs, protect, buffers, rev } = this.sync.forRun()
    this.trouble = null
    this.show = "edit"
    this.frames.expect(run)
    const before = this.progress
    this.progress = { state: "running", message: "", step: 0, total: this.settings.steps, eta: null, run }
    const sent = this.host.send("run", { run, params: { ...this.settings }, rev, pairs, protect }, buffers)
    if (!sent) this.progress = before
    this.changed.emit()
  }

  stop(): void {
    if (!this.busy) return
    this.host.send("stop", { run: this.progress.run })
    this.progress = { ...this.progress, state: "stopping", message: "" }
    this.changed.emit()
  }

  accept(): void {
    if (!this.resultInfo) return
    this.host.send("accept", { result: this.resultInfo.id })
    this.said.emit("Accepting the result")
  }

  discard(): void {
    if (!this.resultInfo) return
    this.host.send("discard", { result: this.resultInfo.id })
    this.showRegions()
    this.forgetResult()
    this.changed.emit()
  }

  restore(id: string): void {
    this.host.send("restore", { result: id })
    if (this.resultInfo?.id === id && this.result) this.showResult()
  }

  showResult(): void {
    if (!this.result) return
    this.show = "result"
    this.store.cancelGesture()
    this.changed.emit()
  }

  showRegions(): void {
    this.show = "edit"
    if (!this.busy) this.frames.clear(this.progress.run)
    this.changed.emit()
  }

  /** Changes settings; the kernel hears of them after a pause, or at once. */
  change(fields: Partial<Settings>, now = false): void {
    this.settings = { ...this.settings, ...fields }
    clearTimeout(this.saveTimer)
    if (now) this.host.save({ settings: { ...this.settings } })
    else this.saveTimer = setTimeout(() => this.flush(), 300)
    this.changed.emit()
  }

  reset(): void {
    this.change({ ...this.defaults }, true)
  }

  async load(file: File): Promise<void> {
    if (file.size > LARGEST_FILE) {
      return this.complain("This file is larger than 64 MB.", "Save a smaller copy and open that.")
    }
    try {
      await upload(this.host, file)
    } catch (error) {
      console.warn("regiondrag: a file could not be sent", error)
      this.complain("This file could not be read.", "Open it again, or a copy of it.")
    }
  }

  complain(message: string, remedy = ""): void {
    this.trouble = { message, remedy }
    this.changed.emit()
  }

  dismiss(): void {
    this.trouble = null
    this.changed.emit()
  }

  /** A view opened, closed (null), came into sight or left it. */
  see(view: string, visible: boolean | null): void {
    if (!this.closed) this.watch.see(view, visible)
  }

  close(): void {
    this.closed = true
    this.watch.close()
    clearTimeout(this.saveTimer)
    clearTimeout(this.liveTimer)
    this.frames.clear(Number.POSITIVE_INFINITY)
    this.pictureSlot.clear()
    this.resultSlot.clear()
    this.host.close()
  }

  private listen(): void {
    const { host } = this
    host.refused.on(() => {
      this.complain(
        "The regions are too large to send.",
        "Draw simpler or fewer regions, or open a smaller picture.",
      )
    })
    host.onMessage((message, buffers) => this.receive(message, buffers))
    for (const trait of ["_image", "_image_info"]) host.on(`change:${trait}`, () => void this.loadPicture())
    for (const trait of ["_result", "_result_info"]) host.on(`change:${trait}`, () => void this.loadResult())
    for (const trait of ["_history", "_thumbs", "_models", "_defaults", "_height"]) {
      host.on(`change:${trait}`, () => this.changed.emit())
    }
    host.on("change:_state", () => this.take(progressFrom(host.record("_state"))))
    host.on("change:settings", () => {
      this.settings = settingsFrom(host.record("settings"), this.defaults)
      this.changed.emit()
    })
  }

  private receive(message: Message, buffers: Uint8Array<ArrayBuffer>[]): void {
    this.watch.hear()
    switch (message.type) {
      case "ready":
        if (typeof message.run === "number" && message.run > this.progress.run) {
          this.progress = { ...this.progress, run: message.run }
        }
        break
      case "pong":
        break
      case "status":
        this.take(progressFrom(message))
        break
      case "preview":
        if (Number(message.run) >= this.progress.run) void this.frames.push(message, buffers[0])
        break
      case "done":
        if (Number(message.run) < this.progress.run) break
        this.ended = Number(message.run)
        this.take({ ...this.progress, state: "done", message: "", run: Number(message.run) })
        break
      case "stopped":
        if (Number(message.run) < this.progress.run) break
        this.ended = Number(message.run)
        this.take({ ...this.progress, state: "ready", message: `Stopped at step ${String(message.step)}` })
        break
      case "error":
        this.fail(message)
        break
      case "blob":
        this.takeBlob(message, buffers[0])
        break
      default:
        console.warn(`regiondrag: an unknown message was ignored: ${message.type}`)
    }
  }

  /** Progress from a message or the trait; what belongs to an older run, or comes after its end, is stale. */
  private take(next: Progress): void {
    if (next.run < this.progress.run || (isBusy(next) && next.run <= this.ended)) return
    if (next.run > this.progress.run && isBusy(next)) this.frames.expect(next.run)
    const stopping = this.progress.state === "stopping" && next.state === "running"
    this.progress = stopping ? { ...next, state: "stopping" } : next
    if (!isBusy(next)) {
      // The last step stays on show until its result has decoded.
      if (next.state !== "done") this.frames.clear(next.run)
      this.reveal()
    }
    this.changed.emit()
  }

  private fail(message: Message): void {
    const run = typeof message.run === "number" ? message.run : null
    if (run !== null && run < this.progress.run) return
    const words = (key: string) => (typeof message[key] === "string" ? (message[key] as string) : "")
    this.trouble = {
      message: words("message") || "Something went wrong in the kernel.",
      remedy: words("remedy"),
    }
    if (run !== null) {
      this.ended = run
      this.frames.clear(run)
      this.progress = { ...this.progress, state: "error", message: words("message"), run }
    }
    this.changed.emit()
  }

  private async loadPicture(given?: Uint8Array<ArrayBuffer>): Promise<void> {
    const info = this.host.record("_image_info")
    const { width, height } = sizeOf(info)
    if (width === 0) return
    const bytes = given ?? this.host.bytes("_image")
    if (!bytes) {
      this.host.send("need", { what: "image" })
      return
    }
    const rev = `${String(info.rev)}/${width}x${height}`
    const mime = typeof info.mime === "string" ? info.mime : "image/png"
    const source = { key: `${rev}/${bytes.length}`, bytes, mime, width, height, alpha: info.alpha === true }
    try {
      if (!(await this.pictureSlot.take(source)) || this.closed) return
    } catch {
      return this.complain("This picture does not decode in the browser.", "Open another one.")
    }
    this.pictureName = typeof info.name === "string" ? info.name : ""
    if (!this.host.bytes("_result")) this.show = "edit"
    // The same picture sent anew keeps its drawings and their history.
    if (rev !== this.rev) this.sync.reset(width, height)
    this.rev = rev
    this.changed.emit()
  }

  private async loadResult(given?: Uint8Array<ArrayBuffer>): Promise<void> {
    const info = this.host.record("_result_info")
    if (typeof info.id !== "string") {
      this.forgetResult()
      return this.showRegions()
    }
    const bytes = given ?? this.host.bytes("_result")
    if (!bytes) {
      this.host.send("need", { what: "result", result: info.id })
      return
    }
    const alpha = this.host.record("_image_info").alpha === true
    const source = { key: `${info.id}/${bytes.length}`, bytes, mime: "image/png", width: 0, height: 0, alpha }
    try {
      if (!(await this.resultSlot.take(source)) || this.closed) return
    } catch {
      if (!this.busy) this.frames.clear(this.progress.run)
      return this.complain("The result does not decode in the browser.", "Run it again.")
    }
    const number = (name: string) => (typeof info[name] === "number" ? (info[name] as number) : 0)
    this.resultInfo = { id: info.id, run: number("run"), seed: number("seed"), seconds: number("seconds") }
    this.reveal(true)
    this.changed.emit()
  }

  private forgetResult(): void {
    this.resultSlot.clear()
    this.resultInfo = null
  }

  /** Shows the result once it, the end of its run and the run's last frame have arrived, in any order. */
  private reveal(fresh = false): void {
    const info = this.resultInfo
    if (!this.result || !info || this.busy) return
    if (!fresh && (info.run !== this.progress.run || this.progress.state !== "done")) return
    this.frames.whenPainted(() => {
      if (this.resultInfo !== info || this.busy) return
      this.show = "result"
      this.frames.clear(this.progress.run)
      this.changed.emit()
    })
  }

  private takeBlob(message: Message, bytes: Uint8Array<ArrayBuffer> | undefined): void {
    if (!bytes) return
    if (message.what === "image") void this.loadPicture(bytes)
    if (message.what === "result") void this.loadResult(bytes)
  }

  private flush(): void {
    clearTimeout(this.saveTimer)
    if (JSON.stringify(this.host.record("settings")) !== JSON.stringify(this.settings)) {
      this.host.save({ settings: { ...this.settings } })
    }
  }

  private runLive(): void {
    clearTimeout(this.liveTimer)
    if (!this.settings.live || this.obstacle) return
    this.liveTimer = setTimeout(() => this.run(), 400)
  }
}

function sizeOf(info: Record<string, unknown>): { width: number; height: number } {
  const side = (value: unknown) => (typeof value === "number" && value > 0 ? Math.round(value) : 0)
  return { width: side(info.width), height: side(info.height) }
}
