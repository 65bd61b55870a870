/**
 * What one model knows, whatever the number of its views: the picture, the regions, the run under way, the
 * results, and whether a kernel listens. Views draw it and call it; it never touches the page.
 */
import { Frames } from "./frames"
import { Host, type HostModel, type Message } from "./host"
import { type Heard, judge, kernelStatusOf, type Liveness } from "./liveness"
import { decodePicture, LARGEST_FILE, type Picture, partsOf } from "./pictures"
import { completePairs } from "./regions"
import { inWords, isBusy, type Progress, progressFrom, type Settings, settingsFrom } from "./settings"
import { Signal } from "./signal"
import { RegionStore } from "./store"
import { RegionSync } from "./sync"

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

const PING_EVERY = 5_000

export class Session {
  readonly store = new RegionStore()
  readonly changed = new Signal()
  readonly host: Host
  readonly frames: Frames
  picture: Picture | null = null
  pictureName = ""
  result: Picture | null = null
  resultInfo: ResultInfo | null = null
  /** What the views show: the picture with its regions, or the result. */
  show: "edit" | "result" = "edit"
  progress: Progress
  settings: Settings
  trouble: Trouble | null = null
  liveness: Liveness = "waiting"
  private readonly sync: RegionSync
  private readonly views = new Map<string, boolean>()
  private readonly timers: ReturnType<typeof setInterval>[] = []
  private heard: Heard
  /** The newest run known to be over: what is said of it later is stale. */
  private ended = -1
  private visible = false
  private closed = false
  private pictureKey = ""
  private resultKey = ""
  private saveTimer: ReturnType<typeof setTimeout> | undefined
  private liveTimer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly model: HostModel) {
    this.host = new Host(model)
    this.frames = new Frames(
      () => this.changed.emit(),
      (frame) => this.host.send("ack", { run: frame.run, seq: frame.seq }),
    )
    this.progress = progressFrom(this.host.record("_state"))
    this.settings = settingsFrom(this.host.record("settings"), this.defaults)
    this.heard = {
      opened: Date.now(),
      asked: null,
      last: null,
      suspicious: false,
      kernelStatus: kernelStatusOf(model.widget_manager),
    }
    this.sync = new RegionSync(this.host, this.store, (message) => this.complain(message, "Draw it again."))
    this.store.changed.on(() => this.changed.emit())
    this.store.committed.on(() => this.runLive())
    this.listen()
    void this.loadPicture()
    void this.loadResult()
    this.sayHello()
    this.timers.push(setInterval(() => this.beat(), 1_000))
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
    if (this.obstacle) return this.tell(this.obstacle)
    this.flush()
    if (Object.keys(overrides).length > 0) this.change(overrides, true)
    const run = this.progress.run + 1
    const { pairs, protect, buffers, rev } = this.sync.forRun()
    this.trouble = null
    this.show = "edit"
    this.frames.expect(run)
    this.progress = { state: "running", message: "", step: 0, total: this.settings.steps, eta: null, run }
    this.host.send("run", { run, params: { ...this.settings }, rev, pairs, protect }, buffers)
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
    this.tell("Accepting the result")
  }

  discard(): void {
    if (!this.resultInfo) return
    this.host.send("discard", { result: this.resultInfo.id })
    this.showRegions()
    this.result = null
    this.resultInfo = null
    this.resultKey = ""
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
    const bytes = new Uint8Array(await file.arrayBuffer())
    const parts = partsOf(bytes)
    const fields = { name: file.name, mime: file.type }
    if (parts.length === 1 && parts[0]) return this.host.send("load", fields, [parts[0]])
    const upload = crypto.randomUUID()
    parts.forEach((part, i) => {
      this.host.send("load", { ...fields, part: i, parts: parts.length, upload }, [part])
    })
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
    if (visible === null) this.views.delete(view)
    else this.views.set(view, visible)
    const any = [...this.views.values()].some((v) => v)
    if (any === this.visible || this.closed) return
    this.visible = any
    this.host.send("visible", { visible: any })
  }

  close(): void {
    this.closed = true
    for (const timer of this.timers) clearInterval(timer)
    clearTimeout(this.saveTimer)
    clearTimeout(this.liveTimer)
    this.frames.clear(Number.POSITIVE_INFINITY)
    this.picture?.image.close()
    this.result?.image.close()
    this.host.close()
  }

  private listen(): void {
    const { host } = this
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
    // Jupyter's own event: the comm was made anew or the kernel has left it.
    host.on("comm_live_update", () => {
      this.heard = { ...this.heard, suspicious: this.heard.last !== null }
      this.ping()
    })
  }

  private receive(message: Message, buffers: Uint8Array<ArrayBuffer>[]): void {
    this.heard = { ...this.heard, last: Date.now(), asked: null, suspicious: false }
    this.judge()
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
      this.frames.clear(next.run)
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
    const bytes = given ?? this.host.bytes("_image")
    const number = (key: string) => (typeof info[key] === "number" ? (info[key] as number) : 0)
    const rev = `${String(info.rev)}/${number("width")}x${number("height")}`
    if (!info.width) return
    if (!bytes) return this.host.send("need", { what: "image" })
    const key = `${rev}/${bytes.length}`
    if (key === this.pictureKey) return
    const fresh = !this.pictureKey.startsWith(`${rev}/`)
    this.pictureKey = key
    try {
      const mime = typeof info.mime === "string" ? info.mime : "image/png"
      const picture = await decodePicture(bytes, mime, number("width"), number("height"), info.alpha === true)
      if (this.closed || this.pictureKey !== key) return picture.image.close()
      this.picture?.image.close()
      this.picture = picture
      this.pictureName = typeof info.name === "string" ? info.name : ""
      if (!this.host.bytes("_result")) this.show = "edit"
      if (fresh) this.sync.reset(picture.width, picture.height)
      else this.changed.emit()
    } catch {
      this.pictureKey = ""
      this.complain("This picture does not decode in the browser.", "Open another one.")
    }
  }

  private async loadResult(given?: Uint8Array<ArrayBuffer>): Promise<void> {
    const info = this.host.record("_result_info")
    if (typeof info.id !== "string") {
      this.result?.image.close()
      this.result = null
      this.resultInfo = null
      this.resultKey = ""
      this.show = "edit"
      return this.changed.emit()
    }
    const bytes = given ?? this.host.bytes("_result")
    if (!bytes) return this.host.send("need", { what: "result", result: info.id })
    const key = `${info.id}/${bytes.length}`
    if (key === this.resultKey) return
    this.resultKey = key
    try {
      const picture = await decodePicture(
        bytes,
        "image/png",
        0,
        0,
        this.host.record("_image_info").alpha === true,
      )
      if (this.closed || this.resultKey !== key) return picture.image.close()
      this.result?.image.close()
      this.result = picture
      const number = (name: string) => (typeof info[name] === "number" ? (info[name] as number) : 0)
      this.resultInfo = { id: info.id, run: number("run"), seed: number("seed"), seconds: number("seconds") }
      this.reveal(true)
      this.changed.emit()
    } catch {
      this.resultKey = ""
      this.complain("The result does not decode in the browser.", "Run it again.")
    }
  }

  /** Shows the result once both it and the end of its run have arrived, in either order. */
  private reveal(fresh = false): void {
    if (!this.result || !this.resultInfo || this.busy) return
    const ofThisRun = this.resultInfo.run === this.progress.run && this.progress.state === "done"
    if (fresh || ofThisRun) this.show = "result"
  }

  private takeBlob(message: Message, bytes: Uint8Array<ArrayBuffer> | undefined): void {
    if (!bytes) return
    if (message.what === "image") void this.loadPicture(bytes)
    if (message.what === "result") void this.loadResult(bytes)
  }

  private tell(message: string): void {
    this.progress = { ...this.progress, message }
    this.changed.emit()
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

  private sayHello(): void {
    const info = this.host.record("_image_info")
    const result = this.host.record("_result_info")
    const image = this.host.bytes("_image") ? (info.rev ?? null) : null
    const have = { image, result: this.host.bytes("_result") ? (result.id ?? null) : null }
    this.host.send("hello", { view: "model", have })
  }

  private ping(): void {
    if (this.heard.asked === null) this.heard = { ...this.heard, asked: Date.now() }
    this.host.send("ping")
  }

  /** Once a second: ask where it is time to, and judge what was heard. */
  private beat(): void {
    const now = Date.now()
    if (this.heard.last === null) {
      // A kernel that was busy at first may still come: keep asking, seldom.
      if ((now - this.heard.opened) % PING_EVERY < 1_000) this.sayHello()
    } else if (this.visible && now - this.heard.last > PING_EVERY && this.heard.asked === null) {
      this.ping()
    } else if (this.visible && this.heard.asked !== null && (now - this.heard.asked) % PING_EVERY < 1_000) {
      this.ping()
    }
    this.judge()
  }

  private judge(): void {
    this.heard = { ...this.heard, kernelStatus: kernelStatusOf(this.model.widget_manager) }
    const liveness = judge(this.heard, Date.now())
    if (liveness === this.liveness) return
    this.liveness = liveness
    this.changed.emit()
  }
}
