/**
 * Live editing: while a region is dragged the kernel's drafts are shown, and the full edit follows when it rests.
 *
 * A drag by the pointer is over when the button is released. Keys, flips and strokes come in bursts, so the edit
 * waits until a burst is over.
 */
import type { Pair } from "../document/pair"
import { allCarried, placementKey } from "../document/placement"
import { completePairs, type Regions } from "../document/regions"
import type { Signal } from "../document/signal"
import type { RegionStore } from "../document/store"
import { isEmpty } from "../geometry/mask"
import type { Host } from "../kernel/host"
import type { Liveness } from "../kernel/liveness"
import type { KernelMessage } from "../kernel/messages"
import { Drafts, type ShownDraft } from "./drafts"
import { mark } from "./marks"
import { type Measured, Meter } from "./meter"
import type { Runs } from "./runs"
import type { Screen } from "./screen"
import type { SettingsStore } from "./settingsstore"

/** Milliseconds without a key or a stroke before the full edit begins. */
const BURST = 400

/** What live editing needs from the widget. */
export interface LivePorts {
  readonly host: Host
  readonly store: RegionStore
  readonly settings: SettingsStore
  readonly runs: Runs
  readonly screen: Screen
  readonly changed: Signal
  /** Short messages for the user. */
  readonly notified: Signal<string>
  readonly liveness: Liveness
  /** Why nothing can be edited, and why an edit cannot be run; empty if it can. */
  readonly notReady: string
  readonly obstacle: string
  run(): void
  stop(): void
  /** Requests a draft of what is drawn now. Returns false if it could not be sent. */
  requestDraft(seq: number): boolean
}

/** Decides when drafts are requested and when the full edit begins. */
export class Live {
  /** The kernel's measurements; null until they have come. */
  measured: Measured | null = null
  /** What this page measures. */
  readonly meter = new Meter()
  private readonly drafts: Drafts
  private readonly readers = new Set<string>()
  private dragging = false
  /** What the drag replaced on the screen: Escape brings it back. */
  private before: "regions" | "result" | "run" = "regions"
  /** The regions of the newest commit. */
  private drawn: Regions
  /** When the pointer came where it is. */
  private stamp = 0
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly widget: LivePorts) {
    const { store } = widget
    this.drafts = new Drafts({
      request: (seq) => (widget.requestDraft(seq) ? allCarried(store.shown, store) : null),
      redraw: () => widget.changed.emit(),
      painted: ({ seq, stamp, painted }) => {
        this.meter.add(painted - stamp, painted)
        mark("regiondrag.draft", stamp, painted, { seq, whole: this.shownDraft?.whole === true })
      },
      failed: (message) => widget.notified.emit(message),
    })
    this.drawn = store.regions
    store.committed.on(() => this.committed())
    store.changed.on(() => {
      if (this.dragging && !store.ghost) this.cancelled()
      this.drawn = store.regions
    })
  }

  /** Whether edits follow the pointer: as the user chose, otherwise as the kernel measured. */
  get on(): boolean {
    return this.obstacle === "" && (this.widget.settings.current.live ?? this.measured?.live ?? false)
  }
  /** Why they cannot follow, in words; empty if they can. */
  get obstacle(): string {
    return this.widget.notReady
  }
  /** Whether a drag is under way: nothing else may take the screen. */
  get held(): boolean {
    return this.dragging
  }
  /** What may be shown of the newest draft, or null. */
  get shownDraft(): ShownDraft | null {
    const { screen, runs } = this.widget
    return screen.showing === "regions" && !runs.frames.current ? this.drafts.shownAt(this.placement) : null
  }

  /** Turns live editing on or off, as the user's choice. */
  toggle(): void {
    this.widget.settings.change({ live: !this.on }, true)
  }

  /**
   * Clears the screen for something new under the pointer: a run under way is stopped and a result is hidden. With
   * `drag`, they come back if the drag is cancelled.
   */
  seize(drag: boolean): void {
    const { runs, screen } = this.widget
    this.before = runs.busy ? "run" : screen.showing
    this.dragging = drag
    clearTimeout(this.timer)
    this.widget.stop()
    screen.showRegions(true)
  }

  /** The pointer has moved the ghost, by an event of time `stamp`. */
  follow(stamp: number): void {
    if (!this.widget.store.ghost || !this.on) return
    if (!this.dragging) this.before = "regions"
    this.dragging = true
    clearTimeout(this.timer)
    this.request(stamp)
  }

  /** Takes a `drafted` message. */
  drafted(message: KernelMessage<"drafted">, bytes: Uint8Array<ArrayBuffer> | undefined): void {
    void this.drafts.receive(message, bytes)
  }

  /** Takes an `undrafted` message. */
  undrafted(message: KernelMessage<"undrafted">): void {
    this.drafts.refuse(message)
  }

  /** Takes a `measured` message. */
  measure(measured: Measured): void {
    const before = this.on
    this.measured = measured
    // It may have turned live editing off in the middle of a drag.
    if (before && !this.on) this.endDrafts()
    this.widget.changed.emit()
  }

  /** A view shows the measurements, or no longer. */
  setReading(view: string, on: boolean): void {
    const before = this.readers.size > 0
    if (on) this.readers.add(view)
    else this.readers.delete(view)
    const now = this.readers.size > 0
    if (now !== before) this.widget.host.send("stats", { on: now })
  }

  /** A run is over, perhaps stopped by the drag that goes on. */
  runEnded(): void {
    if (this.dragging && this.on && this.widget.store.ghost) this.request()
  }

  /** A run begins: drafts under way are dropped; the one on the screen stays until the run has a frame to show. */
  runBegins(): void {
    clearTimeout(this.timer)
    this.dragging = false
    this.drafts.end()
  }

  /** Drops drafts and waiting edits, as for another picture or other settings. */
  reset(): void {
    clearTimeout(this.timer)
    this.endDrafts()
  }

  /** Ends everything. */
  close(): void {
    clearTimeout(this.timer)
    this.drafts.close()
  }

  private get placement(): string {
    const { shown, ghost } = this.widget.store
    return placementKey(shown, ghost)
  }

  /** Requests a draft; not while a run is ending, since the kernel would refuse it. */
  private request(stamp = this.stamp): void {
    this.stamp = stamp
    const { liveness, runs } = this.widget
    if (liveness === "live" && !runs.busy) this.drafts.want(this.placement, stamp)
  }

  private committed(): void {
    const { widget, drawn } = this
    const { regions } = widget.store
    const dragged = this.dragging
    this.dragging = false
    this.drawn = regions
    // A name, a colour or a lock does not change the edit.
    if (sameEdit(drawn, regions)) return
    clearTimeout(this.timer)
    if (!this.on || widget.obstacle) return this.endDrafts()
    if (dragged) return widget.run()
    // What a run under way would show is outdated.
    if (widget.runs.busy) {
      widget.stop()
      widget.screen.showRegions(true)
    }
    if (sameHandles(drawn, regions)) this.request(performance.now())
    else this.endDrafts()
    this.timer = setTimeout(() => {
      if (this.on && !widget.obstacle) widget.run()
    }, BURST)
  }

  private cancelled(): void {
    this.dragging = false
    this.endDrafts()
    const { widget, before } = this
    if (before === "result") widget.screen.showResult()
    if (before === "run" && this.on && !widget.obstacle) widget.run()
  }

  /** Ends the drag's drafts without a run. */
  private endDrafts(): void {
    const seq = this.drafts.end()
    if (seq !== null) this.widget.host.send("drag_ended", { seq })
    this.drafts.drop()
  }
}

/** Whether both describe the same edit, in the very same masks. */
function sameEdit(a: Regions, b: Regions): boolean {
  const p = completePairs(a)
  const q = completePairs(b)
  const same = p.every(
    ({ target, matrix, action }, i) =>
      target === q[i]?.target && matrix === q[i]?.matrix && action === q[i]?.action,
  )
  return same && p.length === q.length && sameHandles(a, b)
}

/** Whether both carry the same. */
function sameContent(a: Pair, b: Pair | undefined): boolean {
  return a.id === b?.id && a.handle === b.handle && a.carry === b.carry && a.chosen === b.chosen
}

/** Whether nothing but places has changed: a move, however it was made. */
function sameHandles(a: Regions, b: Regions): boolean {
  const p = a.pairs.filter((pair) => !isEmpty(pair.handle))
  const q = b.pairs.filter((pair) => !isEmpty(pair.handle))
  const same = p.every((pair, i) => sameContent(pair, q[i]))
  return same && p.length === q.length && a.protect === b.protect
}
