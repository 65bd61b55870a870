/** RegionStore: the regions, their undo history, and what is being drawn at this moment. One a model. */

import { emptyMask, isEmpty, type Mask, MaskBuffer, sameMask, shifted } from "../geometry/mask"
import { type Matrix, snapTranslation } from "../geometry/matrix"
import {
  addPair,
  emptyRegions,
  type Layer,
  maskOf,
  type Outline,
  type Pair,
  type Regions,
  withMask,
} from "./regions"
import { Signal } from "./signal"
import { History } from "./undo"

/** A mask under the pointer: shown by every view, saved by none until the gesture ends. */
export interface Draft {
  readonly pairId: string
  readonly layer: Layer
  readonly buffer: MaskBuffer
  /** The pair that this gesture makes, where there was none; it exists once the gesture ends. */
  readonly fresh: Pair | null
}

/** A drag under the pointer: the pair and the matrix its ghost has now. */
export interface Ghost {
  readonly pairId: string
  /** Takes the handle to its place; where `painted` it shifts the painted target, which has no matrix. */
  readonly matrix: Matrix
  readonly painted: boolean
}

/** The pair as it were if the ghost were let go here; a target that follows from its matrix is left out. */
export function movedPair(pair: Pair, ghost: Ghost): Pair {
  const { matrix, painted } = ghost
  if (painted) return { ...pair, target: shifted(pair.target, matrix[2], matrix[5]) }
  return {
    ...pair,
    matrix: snapTranslation(matrix),
    target: emptyMask(pair.handle.width, pair.handle.height),
  }
}

export class RegionStore {
  /** Something to draw anew. */
  readonly changed = new Signal()
  /** A gesture has ended, here: what the kernel must hear of. */
  readonly committed = new Signal()
  /** Only the active pair is another one. */
  readonly selection = new Signal()
  draft: Draft | null = null
  ghost: Ghost | null = null
  private readonly history = new History<Regions>(emptyRegions(0, 0))

  get regions(): Regions {
    return this.history.current
  }
  /** The regions with the pair that a gesture is making. */
  get shown(): Regions {
    const fresh = this.draft?.fresh
    if (!fresh) return this.regions
    return { ...this.regions, pairs: [...this.regions.pairs, fresh], selected: this.regions.pairs.length }
  }
  get canUndo(): boolean {
    return this.history.canUndo
  }
  get canRedo(): boolean {
    return this.history.canRedo
  }

  /** One undo step. The same document again is no step. */
  commit(next: Regions): void {
    this.draft = null
    this.ghost = null
    if (next !== this.regions) {
      this.history.push(next)
      this.committed.emit()
    }
    this.changed.emit()
  }

  select(index: number): void {
    if (index === this.regions.selected || index >= this.regions.pairs.length) return
    this.history.amend({ ...this.regions, selected: Math.max(-1, index) })
    this.selection.emit()
    this.changed.emit()
  }

  undo(): void {
    this.cancelGesture()
    if (this.history.undo()) this.committed.emit()
    this.changed.emit()
  }

  redo(): void {
    this.cancelGesture()
    if (this.history.redo()) this.committed.emit()
    this.changed.emit()
  }

  /** Regions that came from the kernel or another page: a step that can be undone, not sent back. */
  adopt(next: Regions): void {
    if (this.draft?.fresh) this.draft = null
    const lost = (id: string | undefined) => id !== undefined && !next.pairs.some((p) => p.id === id)
    if (this.draft?.layer !== "protect" && lost(this.draft?.pairId)) this.draft = null
    if (lost(this.ghost?.pairId)) this.ghost = null
    this.history.push(next)
    this.changed.emit()
  }

  /** A new picture: nothing before it can be undone. */
  reset(next: Regions): void {
    this.draft = null
    this.ghost = null
    this.history.reset(next)
    this.changed.emit()
  }

  /**
   * Begins to draw on a layer of the active pair; the first handle makes the first pair.
   * Returns null where there is no picture, the pair is locked, or a target has no handle to belong to.
   */
  beginDraft(layer: Layer, base?: Mask): Draft | null {
    const { width, height } = this.regions
    if (!width || !height) return null
    if (layer !== "protect" && this.regions.selected < 0) this.select(this.regions.pairs.length - 1)
    const known = this.regions.pairs[this.regions.selected]
    const fresh = layer !== "protect" && !known ? (addPair(this.regions).pairs.at(-1) ?? null) : null
    if (layer !== "protect" && known?.locked) return null
    const mask = base ?? maskOf(this.regions, this.regions.selected, layer)
    const pairId = layer === "protect" ? "" : (fresh ?? known)?.id
    this.draft = { pairId: pairId ?? "", layer, buffer: MaskBuffer.from(mask), fresh }
    return this.draft
  }

  /** Ends the drawing: its mask becomes the layer's, in one step; none where nothing has changed. */
  endDraft(outline?: Outline): void {
    const draft = this.draft
    if (!draft) return
    const regions = this.shown
    const index = regions.pairs.findIndex((p) => p.id === draft.pairId)
    const mask = draft.buffer.toMask()
    const idle = !outline && sameMask(mask, maskOf(regions, index, draft.layer))
    if (idle || (draft.fresh && isEmpty(mask))) return this.cancelGesture()
    this.commit(withMask(regions, index, draft.layer, mask, outline))
  }

  cancelGesture(): void {
    if (!this.draft && !this.ghost) return
    this.draft = null
    this.ghost = null
    this.changed.emit()
  }
}
