/**
 * The widget model: everything that the browser knows of one widget, shared by all of its views. Views draw its parts
 * and call it; it never touches the page.
 */
import type { Finding } from "../document/findings"
import type { Ghost } from "../document/placement"
import { selectedPair } from "../document/regions"
import { Signal } from "../document/signal"
import { RegionStore } from "../document/store"
import { requestOf } from "../kernel/entries"
import { type Buffers, Host, type HostModel } from "../kernel/host"
import type { Liveness } from "../kernel/liveness"
import type { EditRequest, KernelMessage, Progress } from "../kernel/messages"
import { RegionSync } from "../kernel/sync"
import { LARGEST_FILE, upload } from "../kernel/upload"
import { KernelWatch } from "../kernel/watch"
import { Accepts } from "./accepts"
import { carryOf, findingIn, sentence, surpriseIn } from "./carrying"
import { dispatch, handlersFor } from "./handlers"
import { Live, type LivePorts } from "./live"
import { meshIn } from "./mapping"
import { Original } from "./original"
import type { Picture } from "./pictures"
import { isBusy } from "./progress"
import { Results } from "./results"
import { Runs } from "./runs"
import { Screen } from "./screen"
import { Selecting } from "./selecting"
import type { Settings } from "./settings"
import { SettingsStore } from "./settingsstore"
import { notReady, obstacleTo, statusOf } from "./status"

/** Something that went wrong, and what to do about it. */
export interface Failure {
  readonly message: string
  readonly remedy: string
}

/** One widget: the parts that make it up, and the commands that need more than one of them. */
export class WidgetModel implements LivePorts {
  /** Anything that a view shows may have changed. */
  readonly changed = new Signal()
  /** Short messages for the user, to be shown until the state changes. */
  readonly notified = new Signal<string>()
  readonly host: Host
  readonly store = new RegionStore()
  readonly original: Original
  readonly results: Results
  readonly settings: SettingsStore
  readonly runs: Runs
  readonly screen: Screen
  readonly live: Live
  readonly accepts: Accepts
  readonly selecting: Selecting
  readonly watch: KernelWatch
  /** What went wrong last, until it is dismissed. */
  failure: Failure | null = null
  private readonly sync: RegionSync
  private closed = false

  constructor(model: HostModel) {
    this.host = new Host(model)
    const { host, store, changed } = this
    this.runs = new Runs(
      host.get("_state"),
      () => changed.emit(),
      ({ run, seq }) => host.send("ack", { run, seq }),
    )
    this.original = new Original(host)
    this.results = new Results(host)
    this.settings = new SettingsStore(host, () => {
      this.live.reset()
      changed.emit()
    })
    const { original } = this
    const report = (message: string) => this.report(message, "Draw it again.")
    this.sync = new RegionSync(host, store, report, () => original.isBehind)
    store.isFrozen = () => this.changing
    this.watch = new KernelWatch(host, () => {
      if (this.liveness === "gone") this.accepts.failed()
      changed.emit()
    })
    const { runs, results } = this
    this.selecting = new Selecting(host, (message) => this.notified.emit(message))
    this.accepts = new Accepts(host, store, results)
    this.screen = new Screen({
      store,
      runs,
      results,
      changed,
      isHeld: () => this.live.held,
      revealed: () => this.live.reset(),
    })
    this.live = new Live(this)
    store.changed.on(() => {
      store.findings.follow(store.regions, this.sync.rev)
      store.routes.follow(store.regions, this.sync.rev)
      changed.emit()
    })
    this.listen()
    void this.loadOriginal()
    void this.loadResult()
    this.watch.start()
  }

  /** The picture that is edited, or null. */
  get picture(): Picture | null {
    return this.original.picture
  }
  /** Whether a kernel answers. */
  get liveness(): Liveness {
    return this.watch.liveness
  }
  /** Whether no kernel has ever answered, so that nothing can be changed. */
  get readOnly(): boolean {
    return this.liveness === "readonly"
  }
  /** Whether another picture is on its way, so that what is drawn on this one would be lost. */
  get changing(): boolean {
    return this.accepts.pending || this.original.isBehind
  }
  /** Whether drawing makes sense now. */
  get canDraw(): boolean {
    return this.picture !== null && this.screen.showing === "regions" && !this.readOnly && !this.changing
  }
  /** Why nothing can be edited, whatever is drawn; empty if it can. */
  get notReady(): string {
    return notReady(this.liveness, this.picture)
  }
  /** Why an edit cannot be run, in words; empty if it can. */
  get obstacle(): string {
    if (this.changing) return "Another picture is on its way"
    return obstacleTo(this.liveness, this.picture, this.store.regions)
  }
  /** The state of things, in words. */
  get status(): string {
    const result = this.screen.showing === "result" ? this.results.info : null
    return statusOf(this.liveness, this.runs.progress, result)
  }

  /** Runs the edit; `changes` to the settings are made first. */
  run(changes: Partial<Settings> = {}): void {
    const { settings, obstacle } = this
    if (obstacle) return this.notified.emit(obstacle)
    settings.flush()
    if (Object.keys(changes).length > 0) settings.change(changes, true)
    const { buffers, ...request } = this.editRequest()
    this.failure = null
    this.screen.showing = "regions"
    this.live.runBegins()
    this.runs.begin(settings.current.steps ?? 0, (run) => this.host.send("run", { run, ...request }, buffers))
    this.changed.emit()
  }

  /** Requests a draft of what is drawn now, the ghost under the pointer included. */
  requestDraft(seq: number): boolean {
    const { buffers, ...request } = this.editRequest(this.store.ghost)
    return request.pairs.length > 0 && this.host.send("draft", { seq, ...request }, buffers)
  }

  /** Stops the run under way. */
  stop(): void {
    if (!this.runs.busy) return
    this.host.send("stop", { run: this.runs.progress.run })
    this.runs.stopping()
    this.changed.emit()
  }

  /** Makes the result the picture. */
  accept(): void {
    if (!this.accepts.accept()) return
    this.notified.emit("Accepting the result")
    this.changed.emit()
  }

  /** Whether there is something to undo, an Accept included. */
  get canUndo(): boolean {
    return this.accepts.canUndo || (this.store.canUndo && !this.changing)
  }

  /** Whether there is something to redo, an Accept included. */
  get canRedo(): boolean {
    return this.accepts.canRedo || (this.store.canRedo && !this.changing)
  }

  /** Undoes one gesture, or an Accept. */
  undo(): void {
    const { accepts } = this
    if (accepts.pending) return accepts.afterwards(() => this.undo())
    if (!accepts.canUndo) return this.store.undo()
    accepts.undo()
    this.changed.emit()
  }

  /** Redoes one gesture, or an Accept. */
  redo(): void {
    const { accepts } = this
    if (accepts.pending) return accepts.afterwards(() => this.redo())
    if (accepts.canRedo) this.accept()
    else this.store.redo()
  }

  /** Drops the result and keeps the regions. */
  discard(): void {
    if (!this.results.info) return
    this.host.send("discard", { result: this.results.info.id })
    this.screen.showRegions()
    this.results.forget()
    this.changed.emit()
  }

  /** Brings back an earlier result with its regions and settings. */
  restore(id: string): void {
    if (this.changing) return
    this.accepts.restore(id)
    if (this.results.info?.id === id && this.results.picture) this.screen.showResult()
  }

  /** Sends a picture file to the kernel, which makes it the picture. */
  async load(file: File): Promise<void> {
    if (file.size > LARGEST_FILE) {
      return this.report("This file is larger than 64 MB.", "Save a smaller copy and open that.")
    }
    try {
      await upload(this.host, file)
    } catch (error) {
      console.warn("regiondrag: a file could not be sent", error)
      this.report("This file could not be read.", "Open it again, or a copy of it.")
    }
  }

  /** Shows that something went wrong. */
  report(message: string, remedy = ""): void {
    this.failure = { message, remedy }
    this.changed.emit()
  }

  /** Takes the failure off the screen. */
  dismiss(): void {
    this.failure = null
    this.changed.emit()
  }

  /** Frees everything; the model is of no use afterwards. */
  close(): void {
    this.closed = true
    this.watch.close()
    this.settings.close()
    this.live.close()
    this.runs.frames.clear(Number.POSITIVE_INFINITY)
    this.original.close()
    this.results.forget()
    this.host.close()
  }

  private editRequest(ghost: Ghost | null = null): EditRequest & { buffers: Buffers } {
    const params = { ...this.settings.asked }
    return { params, rev: this.sync.rev, ...requestOf(this.store.shown, ghost) }
  }

  private listen(): void {
    const { host } = this
    host.refused.on(() => {
      this.report(
        "The regions are too large to send.",
        "Draw simpler or fewer regions, or open a smaller picture.",
      )
    })
    const { runs, live, selecting } = this
    const handlers = handlersFor({
      runs,
      live,
      selecting,
      progressed: (progress) => this.progressed(progress),
      runOver: () => this.runOver(),
      report: (message, remedy, run) => {
        if (run === null) this.accepts.failed()
        this.report(message, remedy)
      },
      found: (message, buffers) => this.found(message, buffers),
      mapped: (message, buffers) => this.mapped(message, buffers),
      loadOriginal: (bytes) => void this.loadOriginal(bytes),
      loadResult: (bytes) => void this.loadResult(bytes),
    })
    host.onMessage((message, buffers) => dispatch(handlers, message, buffers))
    host.onTraits(["_image", "_image_info"], () => void this.loadOriginal())
    host.onTraits(["_result", "_result_info"], () => void this.loadResult())
    host.onTraits(["_history", "_thumbs", "_models", "_defaults", "_height"], () => this.changed.emit())
    host.onTraits(["_state"], () => this.progressed(host.get("_state")))
  }

  private progressed(progress: Progress): void {
    if (!this.runs.take(progress)) return
    if (isBusy(progress)) this.changed.emit()
    else this.runOver()
  }

  /** What a handle will carry is known; the user is told where that is not what was asked for. */
  private found(message: KernelMessage<"carried">, buffers: Buffers): void {
    const { store, host, settings } = this
    let finding: Finding
    try {
      finding = findingIn(message, buffers, host.get("_image_info"))
    } catch (error) {
      return console.warn("regiondrag: what a handle carries could not be read", error)
    }
    if (!store.findings.take(message.pair, message.rev, finding)) return
    this.changed.emit()
    const pair = selectedPair(store.regions)
    if (pair?.id !== message.pair) return
    const surprise = surpriseIn(finding, carryOf(pair, settings.current.matte))
    if (surprise) this.notified.emit(sentence(surprise))
  }

  /** How a handle goes is known. */
  private mapped(message: KernelMessage<"mapped">, buffers: Buffers): void {
    const mesh = meshIn(message, buffers)
    if (!mesh) return console.warn("regiondrag: how a region goes could not be read")
    if (this.store.routes.take(message.pair, message.rev, mesh)) this.changed.emit()
  }

  private runOver(): void {
    this.screen.reveal()
    this.live.runEnded()
    this.changed.emit()
  }

  private async loadOriginal(bytes: Uint8Array<ArrayBuffer> | null = null): Promise<void> {
    let loaded: "new" | "resent" | "none"
    try {
      loaded = await this.original.load(bytes)
    } catch {
      this.accepts.failed()
      return this.report("This picture does not decode in the browser.", "Open another one.")
    }
    const { picture } = this
    if (this.closed || loaded === "none" || !picture) return
    if (!this.host.get("_result")) this.screen.showing = "regions"
    // The same picture sent again keeps its drawings and their history.
    if (loaded === "new") {
      this.live.reset()
      this.selecting.reset()
      const left = { drawn: this.store.regions, past: this.store.past }
      this.sync.reset(picture.width, picture.height)
      this.accepts.arrived(left)
    }
    this.changed.emit()
  }

  private async loadResult(bytes: Uint8Array<ArrayBuffer> | null = null): Promise<void> {
    let loaded: "new" | "gone" | "same"
    try {
      loaded = await this.results.load(bytes)
    } catch {
      if (!this.runs.busy) this.runs.frames.clear(this.runs.progress.run)
      return this.report("The result does not decode in the browser.", "Run it again.")
    }
    if (this.closed || loaded === "same") return
    if (loaded === "gone") return this.screen.showRegions()
    const { info } = this.results
    if (info && !this.original.isBehind) this.accepts.made(info.id)
    this.screen.reveal(true)
    this.changed.emit()
  }
}
