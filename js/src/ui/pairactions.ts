/** What commands do to the regions of one view: pairs begin, change, are copied and go. */

import type { Stage } from "../canvas/stage"
import type { ViewState } from "../canvas/viewstate"
import type { Action, Pair } from "../document/pair"
import {
  addPair,
  changePair,
  maskOf,
  pastePair,
  type Regions,
  removePair,
  selectedPair,
  withMask,
  withMatrix,
} from "../document/regions"
import { emptyMask, isEmpty, sameMask } from "../geometry/mask"
import { IDENTITY } from "../geometry/matrix"
import { flipped } from "../geometry/transform"
import { carryOf, otherCarry } from "../model/carrying"
import type { WidgetModel } from "../model/widgetmodel"

/** A press on Grow or Shrink moves the outline by the picture's longer side through this. */
const ADJUST = 256

/** Shared by the widgets of a page, so that a pair can go from one to another. */
let clipboard: Pair | null = null

/** The commands that change regions; they show them, too. */
export class PairActions {
  private pasting: ReturnType<typeof setTimeout> | undefined

  constructor(
    protected readonly widget: WidgetModel,
    protected readonly state: ViewState,
    protected readonly stage: Stage,
    protected readonly notify: (message: string) => void,
  ) {}

  /** Begins a new pair. */
  newPair(): void {
    if (!this.widget.picture) return
    this.begin()
    // An empty pair serves as the new one.
    const waiting = this.regions.pairs.findIndex((p) => isEmpty(p.handle) && isEmpty(p.target) && !p.locked)
    if (waiting >= 0) this.widget.store.select(waiting)
    else this.widget.store.commit(addPair(this.regions))
    this.state.set({ layer: "handle" })
    this.notify("New pair: paint what should move")
  }

  /** Deletes a pair. */
  removePair(index = this.regions.selected): void {
    const pair = this.regions.pairs[index]
    if (!pair) return
    if (pair.locked) return this.notify(`Pair ${index + 1} is locked`)
    this.begin()
    this.widget.store.commit(removePair(this.regions, index))
  }

  /** Adds a copy of a pair. */
  duplicate(index = this.regions.selected): void {
    const pair = this.regions.pairs[index]
    if (pair) this.paste(pair)
  }

  /** Erases all of the active layer. */
  clearLayer(): void {
    const { width, height, selected } = this.regions
    const pair = selectedPair(this.regions)
    if (this.state.layer !== "protect" && (!pair || pair.locked)) return
    this.showRegions()
    this.widget.store.commit(withMask(this.regions, selected, this.state.layer, emptyMask(width, height)))
  }

  /** Makes the active layer's mask larger, smaller, smoother or whole, or turns it round. */
  adjust(how: "grow" | "shrink" | "smooth" | "fill_holes" | "invert"): void {
    const { store, selecting } = this.widget
    const { layer } = this.state
    const mask = maskOf(store.regions, store.regions.selected, layer)
    if (isEmpty(mask) || (layer !== "protect" && selectedPair(store.regions)?.locked)) return
    this.begin()
    const { width, height } = store.regions
    const amount = Math.max(1, Math.round(Math.max(width, height) / ADJUST))
    void selecting.ask(how, { mask, amount: how === "smooth" ? 3 * amount : amount }).then((found) => {
      // What was drawn meanwhile counts.
      if (!found || !sameMask(maskOf(store.regions, store.regions.selected, layer), mask)) return
      if (isEmpty(found.mask)) return this.notify("Nothing would be left")
      if (sameMask(found.mask, mask)) return this.notify("That changes nothing")
      store.commit(withMask(store.regions, store.regions.selected, layer, found.mask))
    })
  }

  /** Flips the active pair's content. */
  flip(across: "x" | "y"): void {
    this.transform((pair) => flipped(pair.handle, pair.matrix ?? IDENTITY, across))
  }

  /** Puts the active pair's content back where it came from. */
  resetDrag(): void {
    this.transform(() => IDENTITY)
  }

  /** Carries the object in a handle instead of all that is painted, or the other way round. */
  switchCarry(index = this.regions.selected): void {
    const pair = this.regions.pairs[index]
    if (!pair) return
    if (pair.locked) return this.notify(`Pair ${index + 1} is locked`)
    this.begin()
    const { width, height } = this.regions
    const carry = otherCarry(carryOf(pair, this.widget.settings.current.matte))
    this.changePair(index, { carry, chosen: emptyMask(width, height) })
    this.notify(carry === "object" ? "Carrying the object in the handle" : "Carrying all that is painted")
  }

  /** Grows a handle to the whole of an object that goes on beyond it. */
  growHandle(index = this.regions.selected): void {
    const pair = this.regions.pairs[index]
    const larger = pair && this.widget.store.findings.of(pair)?.larger
    if (!larger || pair.locked) return
    this.begin()
    this.widget.store.commit(withMask(this.regions, index, "handle", larger))
  }

  /** Changes a pair's name, visibility, lock or what it carries. */
  changePair(index: number, fields: Partial<Pair>): void {
    this.widget.store.commit(changePair(this.regions, index, fields))
  }

  /** Chooses what happens to a pair's content. */
  setAction(action: Action, index = this.regions.selected): void {
    const pair = this.regions.pairs[index]
    if (!pair || isEmpty(pair.handle)) return
    if (pair.locked) return this.notify(`Pair ${index + 1} is locked`)
    if (pair.action === action) return
    this.begin()
    this.changePair(index, { action })
    const words = {
      move: "The object moves",
      copy: "A copy moves, the original stays",
      remove: "The object is removed and its place filled",
    }
    this.notify(words[action])
  }

  /** Puts the active pair's content where a matrix takes it. */
  place(change: (pair: Pair) => NonNullable<Pair["matrix"]>): void {
    this.transform(change)
  }

  /** Copies the active pair. */
  copy(): void {
    clipboard = selectedPair(this.regions)
    if (clipboard) this.notify("Pair copied")
  }

  /** Pastes the pair, unless the browser's own paste event comes first. */
  pasteSoon(): void {
    clearTimeout(this.pasting)
    this.pasting = setTimeout(() => this.paste(), 60)
  }

  /** Pastes a pair. */
  paste(pair: Pair | null = clipboard): void {
    if (!pair) return
    const next = pastePair(this.regions, pair, 16)
    if (next === this.regions) return this.notify("The copied pair belongs to a picture of another size")
    this.showRegions()
    this.widget.store.commit(next)
  }

  /** The browser's paste event has come; a `picture` is loaded elsewhere, a pair is pasted here. */
  pasted(picture: boolean): void {
    clearTimeout(this.pasting)
    if (!picture) this.paste()
  }

  /** Ends the gesture under way without a change. */
  cancelTool(): void {
    // The tool in hand may have lent its gesture to the move tool.
    for (const tool of this.state.tools) if (tool.active) tool.cancel(this.stage.context(this.notify))
  }

  /** Ends the gesture under way and shows the regions, before a command changes them. */
  protected begin(): void {
    this.cancelTool()
    this.showRegions()
  }

  /** Whatever changes regions also shows them: nothing happens behind a result. */
  protected showRegions(): void {
    const { screen, runs } = this.widget
    if (screen.showing === "result" || (runs.frames.current && !runs.busy)) screen.showRegions()
  }

  /** What is drawn. */
  protected get regions(): Regions {
    return this.widget.store.regions
  }

  /** Gives the active pair an action, or takes it back. */
  protected toggleAction(action: Action): void {
    this.setAction(selectedPair(this.regions)?.action === action ? "move" : action)
  }

  private transform(change: (pair: Pair) => NonNullable<Pair["matrix"]>): void {
    const pair = selectedPair(this.regions)
    if (!pair || pair.locked || isEmpty(pair.handle)) return
    this.showRegions()
    if (!this.widget.canDraw) return
    const next = withMatrix(this.regions, this.regions.selected, change(pair))
    if (isEmpty(selectedPair(next)?.target ?? pair.target)) return this.notify("That is outside the picture")
    this.widget.store.commit(next)
  }
}
