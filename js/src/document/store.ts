/** The regions of one widget, their undo history, and what is being drawn at this moment. */

import { isEmpty, type Mask, MaskBuffer, sameMask } from "../geometry/mask"
import { Findings } from "./findings"
import type { Layer, Outline, Pair } from "./pair"
import type { Ghost } from "./placement"
import { addPair, emptyRegions, maskOf, type Regions, sameRegions, withMask } from "./regions"
import { Routes } from "./routes"
import { Signal } from "./signal"
import { UndoStack } from "./undo"

/** A mask being painted, by a brush or as a shape: every view shows it, and it is saved when the gesture ends. */
export interface Stroke {
  /** Whose mask it is; empty for the protected area. */
  readonly pairId: string
  readonly layer: Layer
  readonly buffer: MaskBuffer
  /** The pair that this gesture makes, if there was none; it exists once the gesture ends. */
  readonly newPair: Pair | null
}

/** Holds the regions. Every change goes through here, and views and the kernel learn of it from the signals. */
export class RegionStore {
  /** Something has to be drawn again. */
  readonly changed = new Signal()
  /** A gesture has ended in this browser: the kernel must be told. */
  readonly committed = new Signal()
  /** Only the active pair is another one. */
  readonly selection = new Signal()
  /** The mask being painted, or null. */
  stroke: Stroke | null = null
  /** What the kernel has found in the handles. */
  readonly findings = new Findings()
  /** What the kernel has told of how handles go. */
  readonly routes = new Routes()
  /** The drag under the pointer, or null. */
  ghost: Ghost | null = null
  /** Whether nothing can be changed now, because another picture is on its way. */
  isFrozen: () => boolean = () => false
  private readonly undoStack = new UndoStack<Regions>(emptyRegions(0, 0))

  /** The regions as committed. */
  get regions(): Regions {
    return this.undoStack.current
  }
  /** The regions together with the pair that a gesture is making. */
  get shown(): Regions {
    const added = this.stroke?.newPair ?? this.ghost?.newPair
    if (!added) return this.regions
    return { ...this.regions, pairs: [...this.regions.pairs, added], selected: this.regions.pairs.length }
  }
  /** Whether there is something to undo. */
  get canUndo(): boolean {
    return this.undoStack.canUndo
  }
  /** Whether there is something to redo. */
  get canRedo(): boolean {
    return this.undoStack.canRedo
  }

  /** What could be undone now, oldest first; `resume` takes it up again. */
  get past(): readonly Regions[] {
    return this.undoStack.before
  }

  /** Takes up a history again that ended in these regions; what the kernel brought back may be older than they are. */
  resume(past: readonly Regions[], drawn: Regions): void {
    const known = sameRegions(this.regions, drawn)
    this.undoStack.resume(past, known ? this.regions : drawn)
    if (!known) this.committed.emit()
    this.changed.emit()
  }

  /** Ends the gesture with new regions, as one undo step; the very same regions are no step. */
  commit(next: Regions): void {
    this.stroke = null
    this.ghost = null
    if (next !== this.regions && !this.isFrozen()) {
      this.undoStack.push(next)
      this.committed.emit()
    }
    this.changed.emit()
  }

  /** Makes another pair the active one; -1 for none. */
  select(index: number): void {
    if (index === this.regions.selected || index >= this.regions.pairs.length) return
    this.undoStack.amend({ ...this.regions, selected: Math.max(-1, index) })
    this.selection.emit()
    this.changed.emit()
  }

  /** Undoes one gesture. */
  undo(): void {
    this.cancelGesture()
    if (!this.isFrozen() && this.undoStack.undo()) this.committed.emit()
    this.changed.emit()
  }

  /** Redoes one gesture. */
  redo(): void {
    this.cancelGesture()
    if (!this.isFrozen() && this.undoStack.redo()) this.committed.emit()
    this.changed.emit()
  }

  /** Takes over regions from the kernel or another page: they can be undone, and are not sent back. */
  adopt(next: Regions): void {
    if (this.stroke?.newPair) this.stroke = null
    const lost = (id: string | undefined) => id !== undefined && !next.pairs.some((p) => p.id === id)
    if (this.stroke?.layer !== "protect" && lost(this.stroke?.pairId)) this.stroke = null
    if (!this.ghost?.newPair && lost(this.ghost?.pairId)) this.ghost = null
    this.undoStack.push(next)
    this.changed.emit()
  }

  /** Starts again for a new picture: nothing before it can be undone. */
  reset(next: Regions): void {
    this.stroke = null
    this.ghost = null
    this.undoStack.reset(next)
    this.changed.emit()
  }

  /**
   * Begins to paint on a layer of the active pair, on top of `base` if given; the first handle makes the first pair.
   * Returns null if there is no picture or if the pair is locked.
   */
  beginStroke(layer: Layer, base?: Mask): Stroke | null {
    const { width, height } = this.regions
    if (!width || !height || this.isFrozen()) return null
    if (layer !== "protect" && this.regions.selected < 0) this.select(this.regions.pairs.length - 1)
    const known = this.regions.pairs[this.regions.selected]
    const added = layer !== "protect" && !known ? (addPair(this.regions).pairs.at(-1) ?? null) : null
    if (layer !== "protect" && known?.locked) return null
    const mask = base ?? maskOf(this.regions, this.regions.selected, layer)
    const pairId = layer === "protect" ? "" : ((added ?? known)?.id ?? "")
    this.stroke = { pairId, layer, buffer: MaskBuffer.from(mask), newPair: added }
    return this.stroke
  }

  /** Ends the painting: its mask becomes the layer's in one undo step, or none if nothing has changed. */
  endStroke(outline?: Outline): void {
    const stroke = this.stroke
    if (!stroke) return
    const regions = this.shown
    const index = regions.pairs.findIndex((p) => p.id === stroke.pairId)
    const mask = stroke.buffer.toMask()
    const unchanged = !outline && sameMask(mask, maskOf(regions, index, stroke.layer))
    if (unchanged || (stroke.newPair && isEmpty(mask))) return this.cancelGesture()
    this.commit(withMask(regions, index, stroke.layer, mask, outline))
  }

  /** Drops what is being painted or dragged. */
  cancelGesture(): void {
    if (!this.stroke && !this.ghost) return
    this.stroke = null
    this.ghost = null
    this.changed.emit()
  }
}
