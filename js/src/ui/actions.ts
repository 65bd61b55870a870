/** What commands do, whether a key or a button gives them. One a view. */

import type { Stage } from "../canvas/stage"
import type { ViewState } from "../canvas/viewstate"
import {
  addPair,
  changePair,
  type Layer,
  nudge,
  type Pair,
  pastePair,
  type Regions,
  removePair,
  selectedPair,
  withMask,
  withMatrix,
} from "../document/regions"
import { emptyMask, isEmpty } from "../geometry/mask"
import { IDENTITY } from "../geometry/matrix"
import { flipped } from "../geometry/transform"
import type { Session } from "../model/widgetmodel"
import type { Command } from "./shortcuts"

/** Shared by the widgets of a page, so that a pair can go from one to another. */
let clipboard: Pair | null = null

export class Actions {
  private pasting: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly session: Session,
    private readonly state: ViewState,
    private readonly stage: Stage,
    private readonly tell: (message: string) => void,
    private readonly leave: () => void,
  ) {}

  /** Carries a command out; false when it meant nothing here and the browser may have the key. */
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

  choose(id: string): void {
    const { state } = this
    this.cancelTool()
    this.showRegions()
    state.set({ tool: state.byId(id) })
    this.tell(state.tool.hint)
  }

  chooseLayer(layer: Layer): void {
    this.cancelTool()
    this.showRegions()
    // A layer is there to be painted: the move tool gives way to the brush.
    const tool = this.state.tool.id === "move" ? this.state.byId("brush") : this.state.tool
    this.state.set({ layer, tool })
    const words = {
      handle: "Paint what should move",
      target: "Paint where it should go",
      protect: "Paint what must stay as it is",
    }
    this.tell(words[layer])
  }

  undo(): void {
    if (this.state.tool.keyDown?.("undo", false, this.stage.context(this.tell))) return
    this.cancelTool()
    this.showRegions()
    this.session.store.undo()
  }

  redo(): void {
    this.cancelTool()
    this.showRegions()
    this.session.store.redo()
  }

  newPair(): void {
    if (!this.session.picture) return
    this.cancelTool()
    this.showRegions()
    // An empty pair that waits to be drawn is as good as a new one.
    const waiting = this.regions.pairs.findIndex((p) => isEmpty(p.handle) && isEmpty(p.target) && !p.locked)
    if (waiting >= 0) this.session.store.select(waiting)
    else this.session.store.commit(addPair(this.regions))
    this.state.set({ layer: "handle" })
    this.tell("New pair: paint what should move")
  }

  removePair(index = this.regions.selected): void {
    const pair = this.regions.pairs[index]
    if (!pair) return
    if (pair.locked) return this.tell(`Pair ${index + 1} is locked`)
    this.cancelTool()
    this.showRegions()
    this.session.store.commit(removePair(this.regions, index))
  }

  duplicate(index = this.regions.selected): void {
    const pair = this.regions.pairs[index]
    if (pair) this.paste(pair)
  }

  clearLayer(): void {
    const { width, height, selected } = this.regions
    const pair = selectedPair(this.regions)
    if (this.state.layer !== "protect" && (!pair || pair.locked)) return
    this.showRegions()
    this.session.store.commit(withMask(this.regions, selected, this.state.layer, emptyMask(width, height)))
  }

  flip(across: "x" | "y"): void {
    this.transform((pair) => flipped(pair.handle, pair.matrix ?? IDENTITY, across))
  }

  resetDrag(): void {
    this.transform(() => IDENTITY)
  }

  changePair(index: number, fields: Partial<Pair>): void {
    this.session.store.commit(changePair(this.regions, index, fields))
  }

  copy(): void {
    clipboard = selectedPair(this.regions)
    if (clipboard) this.tell("Pair copied")
  }

  /** Pastes the pair unless the browser's own paste event comes first. */
  pasteSoon(): void {
    clearTimeout(this.pasting)
    this.pasting = setTimeout(() => this.paste(), 60)
  }

  paste(pair: Pair | null = clipboard): void {
    if (!pair) return
    const next = pastePair(this.regions, pair, 16)
    if (next === this.regions) return this.tell("The copied pair belongs to a picture of another size")
    this.showRegions()
    this.session.store.commit(next)
  }

  /** The browser's paste event came: a picture is loaded elsewhere, a pair is pasted here. */
  pasted(picture: boolean): void {
    clearTimeout(this.pasting)
    if (!picture) this.paste()
  }

  /** Gives the keyboard to the canvas. */
  focus(): void {
    this.stage.canvas.focus({ preventScroll: true })
  }

  cancelTool(): void {
    const { tool } = this.state
    if (tool.active) tool.cancel(this.stage.context(this.tell))
  }

  /** What changes regions shows them: nothing is done behind a result. */
  private showRegions(): void {
    const { show, frames, busy } = this.session
    if (show === "result" || (frames.current && !busy)) this.session.showRegions()
  }

  private get regions(): Regions {
    return this.session.store.regions
  }

  private simple(name: Exclude<Command, { do: "tool" | "nudge" | "brush" }>["do"]): boolean {
    const { session, state, stage } = this
    const tool = (key: string) => state.tool.keyDown?.(key, false, stage.context(this.tell)) ?? false
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
      run: () => session.run(),
      stop: () => session.stop(),
      next: () => this.step(1),
      previous: () => this.step(-1),
      duplicate: () => this.duplicate(),
      copy: () => this.copy(),
      paste: () => this.paste(),
      delete: () => tool("Delete") || this.removePair(),
      backspace: () => tool("Backspace") || this.removePair(),
      enter: () => tool("Enter"),
      new: () => this.newPair(),
      flipX: () => this.flip("x"),
      flipY: () => this.flip("y"),
      preview: () => state.set({ preview: !state.preview }),
      compare: () => this.compare(state.compare === "slider" ? "off" : "slider"),
      help: () => state.set({ helpOpen: !state.helpOpen }),
      escape: () => this.escape(),
      hand: () => state.set({ hand: true }),
      original: () => state.set({ original: true }),
      bare: () => state.set({ bare: true }),
    }
    // Tab with fewer than two pairs goes on to the next control, as everywhere.
    if ((name === "next" || name === "previous") && this.regions.pairs.length < 2) return false
    acts[name]()
    return true
  }

  compare(mode: ViewState["compare"]): void {
    if (this.session.show !== "result") this.session.showResult()
    if (this.session.show !== "result") return
    this.state.set({ compare: mode })
    this.stage.fit()
  }

  private step(by: number): void {
    const n = this.regions.pairs.length
    if (n === 0) return
    const index = (this.regions.selected + by + n) % n
    this.session.store.select(index)
    this.tell(`Pair ${index + 1} of ${n}`)
  }

  private nudge(dx: number, dy: number): boolean {
    if (this.session.live.on) this.showRegions()
    if (!this.session.canDraw) return false
    const { regions } = this
    const pair = selectedPair(regions)
    if (!pair || isEmpty(pair.handle)) return false
    if (pair.locked) {
      this.tell(`Pair ${regions.selected + 1} is locked`)
      return true
    }
    const what = this.state.tool.id === "move" || this.state.layer === "target" ? "target" : "handle"
    this.session.store.commit(nudge(regions, regions.selected, what, dx, dy))
    return true
  }

  private resize(factor: number): void {
    const { brushSize } = this.state
    // At least a pixel a press, so that a small brush can grow.
    const step = brushSize * factor - brushSize
    this.state.resizeBrush(brushSize + Math.sign(step) * Math.max(1, Math.abs(step)))
  }

  private transform(change: (pair: Pair) => NonNullable<Pair["matrix"]>): void {
    const pair = selectedPair(this.regions)
    if (!pair || pair.locked || isEmpty(pair.handle)) return
    this.showRegions()
    if (!this.session.canDraw) return
    this.session.store.commit(withMatrix(this.regions, this.regions.selected, change(pair)))
  }

  private escape(): void {
    const { state, session } = this
    if (state.helpOpen || state.settingsOpen) state.set({ helpOpen: false, settingsOpen: false })
    else if (state.tool.active || session.store.draft || session.store.ghost) {
      state.tool.cancel(this.stage.context(this.tell))
    } else this.leave()
  }
}
