/** What commands do, whether they come from a key or from a button. */

import type { Stage } from "../canvas/stage"
import type { ViewState } from "../canvas/viewstate"
import type { Layer } from "../document/pair"
import { nudge, selectedPair } from "../document/regions"
import { isEmpty } from "../geometry/mask"
import type { WidgetModel } from "../model/widgetmodel"
import { PairActions } from "./pairactions"
import type { Command } from "./shortcuts"

/** The commands of one view. */
export class Actions extends PairActions {
  constructor(
    widget: WidgetModel,
    state: ViewState,
    stage: Stage,
    notify: (message: string) => void,
    private readonly leave: () => void,
  ) {
    super(widget, state, stage, notify)
  }

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
    // Choosing a layer means painting on it, and where something should go, there is nothing yet to select.
    const { id, drags } = this.state.tool
    const tool = this.state.byId(drags || (id === "select" && layer === "target") ? "brush" : id)
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

  /** Gives the keyboard to the canvas. */
  focus(): void {
    this.stage.canvas.focus({ preventScroll: true })
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

  private escape(): void {
    const { state, widget } = this
    if (state.helpOpen || state.settingsOpen) state.set({ helpOpen: false, settingsOpen: false })
    else if (this.stage.keyPointer.end()) return
    else if (state.tools.some(({ active }) => active)) this.cancelTool()
    else if (widget.store.stroke || widget.store.ghost) widget.store.cancelGesture()
    else this.leave()
  }
}
