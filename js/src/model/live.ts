/**
 * Live editing: while a region is dragged the kernel's drafts are shown, and the full edit follows when it rests.
 *
 * A drag by the pointer is over when it is let go; keys, flips and strokes come in bursts, so the edit waits for
 * their end.
 */
import { allCarried } from "../document/carried"
import { completePairs, type Regions } from "../document/regions"
import { movedPair } from "../document/store"
import { isEmpty } from "../geometry/mask"
import type { Message } from "../kernel/host"
import { Drafts, type Look } from "./drafts"
import { type Measured, Meter, mark, measuredFrom } from "./meter"
import { unready } from "./status"
import type { Session } from "./widgetmodel"

/** Milliseconds without a key or a stroke after which the full edit begins. */
const REST = 400

export class Live {
  /** The kernel's measurements; null until it has told them. */
  measured: Measured | null = null
  readonly meter = new Meter()
  private readonly drafts: Drafts
  private readonly readers = new Set<string>()
  private dragging = false
  /** What made way for the drag: Escape brings it back. */
  private before: "edit" | "result" | "run" = "edit"
  /** What the newest commit held. */
  private drawn: Regions
  /** When the pointer came where it is. */
  private stamp = 0
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly session: Session) {
    const { store } = session
    this.drafts = new Drafts({
      ask: (seq) => (session.sendDraft(seq) ? allCarried(store.regions, store) : null),
      shown: () => session.changed.emit(),
      painted: ({ seq, stamp, painted }) => {
        this.meter.add(painted - stamp, painted)
        mark("regiondrag.draft", stamp, painted, { seq, whole: this.look?.whole === true })
      },
      failed: (message) => session.said.emit(message),
    })
    this.drawn = store.regions
    store.committed.on(() => this.committed())
    store.changed.on(() => {
      if (this.dragging && !store.ghost) this.cancelled()
      this.drawn = store.regions
    })
  }

  /** Whether edits follow the pointer: as the person chose, else as the kernel measured. */
  get on(): boolean {
    return this.obstacle === "" && (this.session.settings.live ?? this.measured?.live ?? false)
  }
  /** Why they cannot follow, in words; empty when they can. */
  get obstacle(): string {
    return unready(this.session)
  }
  /** The drag under the pointer has not ended: nothing else is to take the screen. */
  get held(): boolean {
    return this.dragging
  }
  /** What may be shown of the newest draft; null for nothing. */
  get look(): Look | null {
    const { show, frames } = this.session
    return show === "edit" && !frames.current ? this.drafts.look(this.place) : null
  }

  toggle(): void {
    this.session.change({ live: !this.on }, true)
  }

  /**
   * The pointer begins something new: a run under way and a result on show make way for it. A drag brings them back
   * where it comes to nothing.
   */
  seize(drag: boolean): void {
    const { session } = this
    this.before = session.busy ? "run" : session.show
    this.dragging = drag
    clearTimeout(this.timer)
    session.stop()
    session.showRegions(true)
  }

  /** The pointer has moved the ghost; `stamp` is its event's. */
  follow(stamp: number): void {
    if (!this.session.store.ghost || !this.on) return
    if (!this.dragging) this.before = "edit"
    this.dragging = true
    clearTimeout(this.timer)
    this.ask(stamp)
  }

  receive(message: Message, bytes: Uint8Array<ArrayBuffer> | undefined): void {
    if (message.type === "drafted") void this.drafts.arrive(message, bytes)
    else if (message.type === "undrafted") this.drafts.refuse(message)
    else {
      const on = this.on
      this.measured = measuredFrom(message)
      // It may have changed the default in the middle of a drag.
      if (on && !this.on) this.rest()
      this.session.changed.emit()
    }
  }

  /** A read-out opened in a view, or closed. */
  read(view: string, on: boolean): void {
    const before = this.readers.size > 0
    if (on) this.readers.add(view)
    else this.readers.delete(view)
    const now = this.readers.size > 0
    if (now !== before) this.session.host.send("stats", { on: now })
  }

  /** A run is over, perhaps stopped for the sake of the drag that goes on. */
  runEnded(): void {
    if (this.dragging && this.on && this.session.store.ghost) this.ask()
  }

  /** A run begins: drafts under way are void, the one on show stays until the run has something to show. */
  runBegins(): void {
    clearTimeout(this.timer)
    this.dragging = false
    this.drafts.end()
  }

  /** Nothing that is under way or on show holds any longer, as with another picture or other settings. */
  reset(): void {
    clearTimeout(this.timer)
    this.rest()
  }

  close(): void {
    clearTimeout(this.timer)
    this.drafts.close()
  }

  private get place(): string {
    const { regions, ghost } = this.session.store
    const parts = regions.pairs.map((pair) => {
      const { id, matrix, target } = ghost?.pairId === pair.id ? movedPair(pair, ghost) : pair
      return `${id}:${matrix ?? [target.x0, target.y0, target.w, target.h]}`
    })
    return parts.join(" ")
  }

  /** Not while a run is ending: the kernel would refuse, and hears of it when the run is over. */
  private ask(stamp = this.stamp): void {
    this.stamp = stamp
    const { liveness, busy } = this.session
    if (liveness === "live" && !busy) this.drafts.want(this.place, stamp)
  }

  private committed(): void {
    const { session, drawn } = this
    const { regions } = session.store
    const dragged = this.dragging
    this.dragging = false
    this.drawn = regions
    // A name, a colour or a lock changes nothing of the edit.
    if (sameEdit(drawn, regions)) return
    clearTimeout(this.timer)
    if (!this.on || session.obstacle) return this.rest()
    if (dragged) return session.run()
    // What a run under way would show is outdated.
    if (session.busy) {
      session.stop()
      session.showRegions(true)
    }
    if (sameHandles(drawn, regions)) this.ask(performance.now())
    else this.rest()
    this.timer = setTimeout(() => {
      if (this.on && !session.obstacle) session.run()
    }, REST)
  }

  private cancelled(): void {
    this.dragging = false
    this.rest()
    const { session, before } = this
    if (before === "result") session.showResult()
    if (before === "run" && this.on && !session.obstacle) session.run()
  }

  /** Ends drafts without a run. */
  private rest(): void {
    const seq = this.drafts.end()
    if (seq !== null) this.session.host.send("rest", { seq })
    this.drafts.drop()
  }
}

/** Whether both say the same of the edit, in the very same masks. */
function sameEdit(a: Regions, b: Regions): boolean {
  const p = completePairs(a)
  const q = completePairs(b)
  const same = p.every((pair, i) => pair.target === q[i]?.target && pair.matrix === q[i]?.matrix)
  return same && p.length === q.length && sameHandles(a, b)
}

/** Whether only places have changed: a move, however it was made. */
function sameHandles(a: Regions, b: Regions): boolean {
  const p = a.pairs.filter((pair) => !isEmpty(pair.handle))
  const q = b.pairs.filter((pair) => !isEmpty(pair.handle))
  const same = p.every((pair, i) => pair.id === q[i]?.id && pair.handle === q[i]?.handle)
  return same && p.length === q.length && a.protect === b.protect
}
