/** What commands do, whether they come from a key or from a button. */

import type { Stage } from "../canvas/stage"
import type { ViewState } from "../canvas/viewstate"
import type { Action, Layer, Pair } from "../document/pair"
import {
  addPair,
  changePair,
  maskOf,
  nudge,
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
import type { Command } from "./shortcuts"

/** A press on Grow or Shrink moves the outline by the picture's longer side through this. */
const ADJUST = 256

/** Shared by the widgets of a page, so that a pair can go from one to another. */
let clipboard: Pair | null = null

/** The commands of one view. */
export class Actions {
  private pasting: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly widget: WidgetModel,
    private readonly state: ViewState,
    private readonly stage: Stage,
    private readonly notify: (message: string) => void,
    private readonly leave: () => void,
  ) {}

  /** Carries out a command. Returns false if it means nothing here and the browser may have the key. */
  perform(command: Command): boolean {
    switch (command.do) {
      case "tool":
        this.choose(command.id)
        return true
      case "nudge":
        return this.nudge(command.dx, command.dy)
      case "brush":
        this.resize(command.factor)
        return true
      default:
        return this.simple(command.do)
    }
  }

  /** Takes a tool in hand. */
  choose(id: string): void {
    const { state } = this
    this.begin()
    const context = this.stage.context(this.notify)
    state.tool.leave?.(context)
    state.set({ tool: state.byId(id) })
    state.tool.taken?.(context)
    this.notify(state.tool.hint)
  }

  /** Chooses what is painted. */
  chooseLayer(layer: Layer): void {
    this.begin()
    // Choosing a layer means painting on it: a tool that drags is replaced by the brush.
    const tool = this.state.tool.drags ? this.state.byId("brush") : this.state.tool
    this.state.set({ layer, tool })
    const words = {
      handle: "Paint what should move",
      target: "Paint where it should go",
      protect: "Paint what must not change",
    }
    this.notify(words[layer])
  }

  /** Undoes one gesture, or one point of a polygon. */
  undo(): void {
    if (this.state.tool.keyDown?.("undo", false, this.stage.context(this.notify))) return
    this.cancelTool()
    if (!this.widget.canUndo) return
    this.showRegions()
    this.widget.undo()
  }

  /** Redoes one gesture. */
  redo(): void {
    this.cancelTool()
    if (!this.widget.canRedo) return
    this.showRegions()
    this.widget.redo()
  }

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

  /** Gives the keyboard to the canvas. */
  focus(): void {
    this.stage.canvas.focus({ preventScroll: true })
  }

  /** Ends the gesture under way without a change. */
  cancelTool(): void {
    // The tool in hand may have lent its gesture to the move tool.
    for (const tool of this.state.tools) if (tool.active) tool.cancel(this.stage.context(this.notify))
  }

  /** Ends the gesture under way and shows the regions, before a command changes them. */
  private begin(): void {
    this.cancelTool()
    this.showRegions()
  }

  /** Whatever changes regions also shows them: nothing happens behind a result. */
  private showRegions(): void {
    const { screen, runs } = this.widget
    if (screen.showing === "result" || (runs.frames.current && !runs.busy)) screen.showRegions()
  }

  private get regions(): Regions {
    return this.widget.store.regions
  }

  private simple(name: Exclude<Command, { do: "tool" | "nudge" | "brush" }>["do"]): boolean {
    const { widget, state, stage } = this
    const tool = (key: string) => state.tool.keyDown?.(key, false, stage.context(this.notify)) ?? false
    const acts: Record<typeof name, () => unknown> = {
      swap: () => this.choose(state.tool.id === "brush" ? "eraser" : "brush"),
      target: () => this.chooseLayer(state.layer === "handle" ? "target" : "handle"),
      protect: () => this.chooseLayer("protect"),
      undo: () => this.undo(),
      redo: () => this.redo(),
      fit: () => stage.fit(),
      full: () => stage.full(),
      zoomIn: () => stage.zoom(1.25),
      zoomOut: () => stage.zoom(0.8),
      run: () => widget.run(),
      stop: () => widget.stop(),
      next: () => this.step(1),
      previous: () => this.step(-1),
      duplicate: () => this.duplicate(),
      copy: () => this.copy(),
      paste: () => this.paste(),
      delete: () => tool("Delete") || this.removePair(),
      backspace: () => tool("Backspace") || this.removePair(),
      enter: () => this.enter(false, false),
      enterAdd: () => this.enter(true, false),
      enterCut: () => this.enter(false, true),
      new: () => this.newPair(),
      flipX: () => this.flip("x"),
      flipY: () => this.flip("y"),
      carry: () => this.switchCarry(),
      copyInstead: () => this.toggleAction("copy"),
      removeInstead: () => this.toggleAction("remove"),
      fullscreen: () => this.fullscreen(),
      dragPreview: () => state.set({ dragPreview: !state.dragPreview }),
      compare: () => this.compare(state.compare === "slider" ? "off" : "slider"),
      help: () => state.set({ helpOpen: !state.helpOpen }),
      escape: () => this.escape(),
      hand: () => state.set({ hand: true }),
      original: () => state.set({ original: true }),
      bare: () => state.set({ bare: true }),
    }
    if (name === "next" && tool("Tab")) return true
    // Tab with fewer than two pairs moves on to the next control, as everywhere.
    if ((name === "next" || name === "previous") && this.regions.pairs.length < 2) return false
    acts[name]()
    return true
  }

  /** Compares the result with the original. */
  compare(mode: ViewState["compare"]): void {
    if (this.widget.screen.showing !== "result") this.widget.screen.showResult()
    if (this.widget.screen.showing !== "result") return
    this.state.set({ compare: mode })
    this.stage.fit()
  }

  /** Fills the screen with the view, or gives it back. */
  fullscreen(): void {
    const { root } = this.stage
    if (document.fullscreenElement === root) void document.exitFullscreen()
    else {
      root.requestFullscreen?.().catch(() => this.notify("This page does not allow fullscreen"))
      if (!root.requestFullscreen) this.notify("This browser has no fullscreen")
    }
  }

  private toggleAction(action: Action): void {
    this.setAction(selectedPair(this.regions)?.action === action ? "move" : action)
  }

  private step(by: number): void {
    const n = this.regions.pairs.length
    if (n === 0) return
    const index = (this.regions.selected + by + n) % n
    this.widget.store.select(index)
    this.notify(`Pair ${index + 1} of ${n}`)
  }

  /** Closes what is begun, or works the pointer that keys move. */
  private enter(shift: boolean, alt: boolean): void {
    const { state, stage } = this
    if (!state.keyAt && state.tool.keyDown?.("Enter", shift, stage.context(this.notify))) return
    this.showRegions()
    stage.keyPointer.enter({ shift, alt })
  }

  private nudge(dx: number, dy: number): boolean {
    if (this.stage.keyPointer.move(dx, dy)) return true
    if (this.widget.live.on) this.showRegions()
    if (!this.widget.canDraw) return false
    const { regions } = this
    const pair = selectedPair(regions)
    if (!pair || isEmpty(pair.handle)) return false
    if (pair.locked) {
      this.notify(`Pair ${regions.selected + 1} is locked`)
      return true
    }
    const arrow = dx < 0 ? "ArrowLeft" : dx > 0 ? "ArrowRight" : dy < 0 ? "ArrowUp" : "ArrowDown"
    const far = Math.abs(dx + dy) > 1
    if (this.state.tool.keyDown?.(arrow, far, this.stage.context(this.notify))) return true
    const what = this.state.tool.drags || this.state.layer === "target" ? "target" : "handle"
    this.widget.store.commit(nudge(regions, regions.selected, what, dx, dy))
    return true
  }

  private resize(factor: number): void {
    const { brushSize } = this.state
    // At least a pixel per press, so that a small brush can grow.
    const step = brushSize * factor - brushSize
    this.state.resizeBrush(brushSize + Math.sign(step) * Math.max(1, Math.abs(step)))
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

  private escape(): void {
    const { state, widget } = this
    if (state.helpOpen || state.settingsOpen) state.set({ helpOpen: false, settingsOpen: false })
    else if (this.stage.keyPointer.end()) return
    else if (state.tools.some(({ active }) => active)) this.cancelTool()
    else if (widget.store.stroke || widget.store.ghost) widget.store.cancelGesture()
    else this.leave()
  }
}
