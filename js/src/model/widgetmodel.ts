/**
 * What one model knows, whatever the number of its views: the picture, the regions, the run under way, the
 * results, and whether a kernel listens. Views draw it and call it; it never touches the page.
 */

import { Signal } from "../document/signal"
import { RegionStore } from "../document/store"
import { Host, type HostModel, type Message } from "../kernel/host"
import type { Liveness } from "../kernel/liveness"
import { RegionSync } from "../kernel/sync"
import { KernelWatch } from "../kernel/watch"
import type { Frames } from "./frames"
import { Live } from "./live"
import { LARGEST_FILE, type Picture, Slot, sourceFrom, upload } from "./pictures"
import { type Entry, type ResultInfo, Results } from "./results"
import { Runs } from "./runs"
import { isBusy, type Progress, progressFrom, type Settings } from "./settings"
import { Choices } from "./settingsstore"
import { obstacleTo, statusOf } from "./status"

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
  readonly live: Live
  pictureName = ""
  /** What the views show: the picture with its regions, or the result. */
  show: "edit" | "result" = "edit"
  trouble: Trouble | null = null
  private readonly sync: RegionSync
  private readonly watch: KernelWatch
  private readonly choices: Choices
  private readonly runs: Runs
  private readonly results: Results
  private readonly pictureSlot = new Slot()
  private closed = false
  private rev = ""

  constructor(model: HostModel) {
    this.host = new Host(model)
    this.runs = new Runs(
      progressFrom(this.host.record("_state")),
      () => this.changed.emit(),
      (frame) => this.host.send("ack", { run: frame.run, seq: frame.seq }),
    )
    this.results = new Results(this.host)
    this.choices = new Choices(this.host, () => {
      this.live.reset()
      this.changed.emit()
    })
    this.sync = new RegionSync(this.host, this.store, (message) => this.complain(message, "Draw it again."))
    this.live = new Live(this)
    this.store.changed.on(() => this.changed.emit())
    this.listen()
    void this.loadPicture()
    void this.loadResult()
    this.watch = new KernelWatch(this.host, () => this.changed.emit())
  }

  get picture(): Picture | null {
    return this.pictureSlot.picture
  }
  get result(): Picture | null {
    return this.results.picture
  }
  get resultInfo(): ResultInfo | null {
    return this.results.info
  }
  get progress(): Progress {
    return this.runs.progress
  }
  get frames(): Frames {
    return this.runs.frames
  }
  get liveness(): Liveness {
    return this.watch?.liveness ?? "waiting"
  }
  get settings(): Settings {
    return this.choices.settings
  }
  get models(): string[] {
    return this.choices.models
  }
  get history(): Entry[] {
    return this.results.history
  }
  get busy(): boolean {
    return this.runs.busy
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
    return obstacleTo(this)
  }
  get status(): string {
    return statusOf(this)
  }

  run(overrides: Partial<Settings> = {}): void {
    if (this.obstacle) return this.said.emit(this.obstacle)
    this.choices.flush()
    if (Object.keys(overrides).length > 0) this.change(overrides, true)
    const { pairs, protect, buffers, rev } = this.sync.forRun()
    this.trouble = null
    this.show = "edit"
    this.live.runBegins()
    this.runs.begin(this.settings.steps, (run) =>
      this.host.send("run", { run, params: { ...this.settings }, rev, pairs, protect }, buffers),
    )
    this.changed.emit()
  }

  /** Asks for a draft of what is drawn now, the ghost under the pointer included. */
  sendDraft(seq: number): boolean {
    const { pairs, protect, buffers, rev } = this.sync.forRun(this.store.ghost)
    return (
      pairs.length > 0 &&
      this.host.send("draft", { seq, params: { ...this.settings }, rev, pairs, protect }, buffers)
    )
  }

  stop(): void {
    if (!this.busy) return
    this.host.send("stop", { run: this.progress.run })
    this.runs.stopping()
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
    this.results.forget()
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

  /** `evenBusy` takes a run's frames off the screen too, for whoever begins something else. */
  showRegions(evenBusy = false): void {
    this.show = "edit"
    if (evenBusy || !this.busy) this.frames.clear(this.progress.run)
    this.changed.emit()
  }

  /** Changes settings; the kernel hears of them after a pause, or at once. */
  change(fields: Partial<Settings>, now = false): void {
    this.choices.change(fields, now)
  }

  reset(): void {
    this.change({ ...this.choices.defaults }, true)
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
    this.choices.close()
    this.live.close()
    this.frames.clear(Number.POSITIVE_INFINITY)
    this.pictureSlot.clear()
    this.results.forget()
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
  }

  private receive(message: Message, buffers: Uint8Array<ArrayBuffer>[]): void {
    this.watch.hear()
    switch (message.type) {
      case "ready":
        this.runs.greeted(message.run)
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
        if (this.runs.end(Number(message.run), "done", "")) this.over()
        break
      case "stopped":
        if (this.runs.end(Number(message.run), "ready", `Stopped at step ${String(message.step)}`))
          this.over()
        break
      case "drafted":
      case "undrafted":
      case "measured":
        this.live.receive(message, buffers[0])
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

  private take(next: Progress): void {
    if (!this.runs.take(next)) return
    if (isBusy(next)) this.changed.emit()
    else this.over()
  }

  /** No run is under way any more. */
  private over(): void {
    this.reveal()
    this.live.runEnded()
    this.changed.emit()
  }

  private fail(message: Message): void {
    const words = (key: string) => (typeof message[key] === "string" ? (message[key] as string) : "")
    if (!this.runs.fail(typeof message.run === "number" ? message.run : null, words("message"))) return
    this.complain(words("message") || "Something went wrong in the kernel.", words("remedy"))
  }

  private async loadPicture(given?: Uint8Array<ArrayBuffer>): Promise<void> {
    const told = sourceFrom(this.host, given)
    if (!told) return
    const { source, rev, name } = told
    try {
      if (!(await this.pictureSlot.take(source)) || this.closed) return
    } catch {
      return this.complain("This picture does not decode in the browser.", "Open another one.")
    }
    this.pictureName = name
    if (!this.host.bytes("_result")) this.show = "edit"
    // The same picture sent anew keeps its drawings and their history.
    if (rev !== this.rev) {
      this.live.reset()
      this.sync.reset(source.width, source.height)
    }
    this.rev = rev
    this.changed.emit()
  }

  private async loadResult(given?: Uint8Array<ArrayBuffer>): Promise<void> {
    let loaded: Awaited<ReturnType<Results["load"]>>
    try {
      loaded = await this.results.load(given)
    } catch {
      if (!this.busy) this.frames.clear(this.progress.run)
      return this.complain("The result does not decode in the browser.", "Run it again.")
    }
    if (this.closed || loaded === "same") return
    if (loaded === "none") return this.showRegions()
    this.reveal(true)
    this.changed.emit()
  }

  /** Shows the result once it, the end of its run and the run's last frame have arrived, in any order. */
  private reveal(fresh = false): void {
    const info = this.resultInfo
    // Whoever is dragging again is not interrupted.
    if (!this.result || !info || this.busy || this.live.held) return
    if (!fresh && (info.run !== this.progress.run || this.progress.state !== "done")) return
    this.frames.whenPainted(() => {
      if (this.resultInfo !== info || this.busy || this.live.held) return
      this.show = "result"
      this.live.reset()
      this.frames.clear(this.progress.run)
      this.changed.emit()
    })
  }

  private takeBlob(message: Message, bytes: Uint8Array<ArrayBuffer> | undefined): void {
    if (!bytes) return
    if (message.what === "image") void this.loadPicture(bytes)
    if (message.what === "result") void this.loadResult(bytes)
  }
}
