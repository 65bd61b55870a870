/** Mouse, pen and fingers on the canvas: one pointer works the tool, two fingers pan and zoom, the middle button pans. */

import { selectedPair } from "../document/regions"
import { listen } from "../dom/elements"
import type { Point } from "../geometry/matrix"
import type { Size } from "../geometry/viewport"
import type { WidgetModel } from "../model/widgetmodel"
import type { Tool, ToolContext, ToolEvent } from "../tools/tool"
import type { ViewState } from "./viewstate"

type Mode = "idle" | "tool" | "pan" | "pinch" | "split"

/** How far from the divider a press still grabs it, in CSS pixels. */
const SPLIT_SLACK = 14

/** The drawing area, as pointers need it. */
export interface PointerArea {
  readonly canvas: HTMLCanvasElement
  /** Its size in CSS pixels. */
  readonly area: Size
  /** A pointer event's position in CSS pixels of the canvas. */
  positionOf(event: { clientX: number; clientY: number }): Point
  /** A position in CSS pixels as a point of the picture. */
  inPicture(at: Point): Point
  /** Moves the picture by CSS pixels. */
  pan(dx: number, dy: number): void
  /** Zooms by a factor about a position in CSS pixels. */
  zoom(factor: number, at: Point): void
  /** Draws with the next animation frame. */
  invalidate(): void
  /** Counts milliseconds of script that moving the ghost has taken. */
  count(milliseconds: number): void
  /** What a tool works on. */
  context(notify: (message: string) => void): ToolContext
}

/** Turns the canvas's pointer events into calls of the tool in hand, of pan and zoom, and of the result's divider. */
export class Pointers {
  /** Where the pointer is, in CSS pixels; null while it is outside. */
  hovered: Point | null = null
  /** The tool that the press works: the one in hand, or the move tool where that takes hold of what was drawn. */
  acting: Tool
  private mode: Mode = "idle"
  private readonly touches = new Map<number, Point>()
  private pointer = -1
  private penDown = false
  private last: Point = { x: 0, y: 0 }

  constructor(
    private readonly area: PointerArea,
    private readonly widget: WidgetModel,
    private readonly state: ViewState,
    private readonly notify: (message: string) => void,
    signal: AbortSignal,
  ) {
    this.acting = state.tool
    const { canvas } = area
    listen(canvas, "pointerdown", (e) => this.down(e), signal)
    listen(canvas, "pointermove", (e) => this.move(e), signal)
    listen(canvas, "pointerup", (e) => this.up(e), signal)
    listen(canvas, "pointercancel", (e) => this.lost(e), signal)
    listen(canvas, "lostpointercapture", (e) => this.lost(e), signal)
    listen(canvas, "pointerleave", () => this.leave(), signal)
    listen(canvas, "dblclick", (e) => this.double(e), signal)
    listen(canvas, "contextmenu", (e) => e.preventDefault(), signal)
  }

  private down(event: PointerEvent): void {
    this.area.canvas.focus({ preventScroll: true })
    const at = this.area.positionOf(event)
    if (event.pointerType === "touch") {
      if (this.penDown) return
      this.touches.set(event.pointerId, at)
      if (this.touches.size === 2) {
        // The first finger has begun a gesture by mistake.
        this.cancelTool()
        this.mode = "pinch"
        return
      }
      if (this.touches.size > 2) return
    }
    if (this.mode !== "idle") return
    if (this.state.keyAt) this.state.set({ keyAt: null })
    event.preventDefault()
    this.penDown = event.pointerType === "pen"
    this.area.canvas.setPointerCapture(event.pointerId)
    this.pointer = event.pointerId
    this.last = at
    this.hovered = at
    this.acting = this.toolAt(event)
    if (event.button === 1 || this.state.hand) this.mode = "pan"
    else if (this.seizes(event, at)) {
      if (this.widget.live.on) this.widget.live.seize(this.acting.drags === true)
      else this.widget.screen.showRegions()
      this.mode = "tool"
      this.acting.press(this.toolEvent(event), this.context())
    } else if (this.widget.screen.showing === "result") {
      this.mode = this.onSplit(at) ? "split" : "pan"
    } else if (this.widget.runs.frames.current) this.mode = "pan"
    else if (!this.widget.canDraw) this.mode = "pan"
    else if (event.button === 0 || event.button === 2 || event.button === 5) {
      const refusal = this.refusal()
      this.mode = refusal ? "pan" : "tool"
      if (refusal) this.notify(refusal)
      else this.acting.press(this.toolEvent(event), this.context())
    }
    this.showCursor(event)
  }

  /** Whether a press at the pointer moves a region, with whatever tool in hand. */
  get grabbing(): boolean {
    return this.acting !== this.state.tool
  }

  /** The tool that a press would work: see `acting`. */
  toolFor(event: ToolEvent): Tool {
    const { tool } = this.state
    return !tool.active && tool.grabs?.(event, this.context()) ? this.state.byId("move") : tool
  }

  private toolAt(event: MouseEvent): Tool {
    return this.toolFor(this.toolEvent(event))
  }

  /** Whether the press reaches the regions behind a result or, in live editing, behind a run's frames. */
  private seizes(event: PointerEvent, at: Point): boolean {
    const { widget, state } = this
    const { showing } = widget.screen
    if (!widget.picture || widget.readOnly) return false
    const result = state.compare !== "side" && !this.onSplit(at)
    const behind = showing === "result" ? result : widget.live.on && widget.runs.busy
    // A hovering pointer has no button: this also decides on its cursor.
    if (!behind || event.button > 0) return false
    return this.acting.drags ? this.takesHold(event) : !this.refusal()
  }

  private takesHold(event: PointerEvent): boolean {
    return this.acting.cursorAt?.(this.toolEvent(event), this.context()) !== "default"
  }

  /** Why nothing can be painted on the active pair, in words; empty if it can. */
  private refusal(): string {
    const { regions } = this.widget.store
    const pair = selectedPair(regions)
    if (!pair || this.state.layer === "protect" || this.acting.drags) return ""
    if (pair.locked) return `Pair ${regions.selected + 1} is locked`
    return pair.visible ? "" : `Pair ${regions.selected + 1} is hidden`
  }

  private move(event: PointerEvent): void {
    const at = this.area.positionOf(event)
    if (event.pointerType === "touch" && this.touches.has(event.pointerId)) {
      if (this.mode === "pinch") this.pinch(event.pointerId, at)
      this.touches.set(event.pointerId, at)
      if (this.mode === "pinch") return
    }
    this.hovered = event.pointerType === "touch" && this.mode === "idle" ? null : at
    if (this.mode === "idle") {
      this.acting = this.toolAt(event)
      if (this.widget.canDraw) this.state.tool.hover?.(this.toolEvent(event), this.context())
      this.showCursor(event)
      this.area.invalidate()
      return
    }
    if (event.pointerId !== this.pointer) return
    if (this.mode === "tool") {
      const began = performance.now()
      const all = event.getCoalescedEvents?.() ?? []
      const events = (all.length > 0 ? all : [event]).map((e) => this.toolEvent(e, event))
      this.acting.drag(events, this.context())
      this.acting.hover?.(this.toolEvent(event), this.context())
      if (this.widget.store.ghost) {
        this.widget.live.follow(event.timeStamp)
        this.area.count(performance.now() - began)
      }
    } else if (this.mode === "pan") {
      this.area.pan(at.x - this.last.x, at.y - this.last.y)
    } else if (this.mode === "split") {
      this.state.set({ split: Math.min(1, Math.max(0, at.x / Math.max(1, this.area.area.width))) })
    }
    this.last = at
    this.area.invalidate()
  }

  private up(event: PointerEvent): void {
    this.touches.delete(event.pointerId)
    if (this.mode === "pinch") {
      if (this.touches.size === 0) this.mode = "idle"
      return
    }
    if (event.pointerId !== this.pointer) return
    const mode = this.mode
    this.reset()
    if (mode === "tool") this.acting.release(this.toolEvent(event), this.context())
    if (event.pointerType === "touch") this.hovered = null
    this.showCursor(event)
    this.area.invalidate()
  }

  /** The browser took the pointer away: what was drawn so far is kept, as if the button were released. */
  private lost(event: PointerEvent): void {
    this.up(event)
  }

  private leave(): void {
    if (this.mode !== "idle") return
    this.hovered = null
    this.state.tool.leave?.(this.context())
    this.area.invalidate()
  }

  private double(event: MouseEvent): void {
    if (this.widget.screen.showing === "result" || !this.widget.canDraw || this.state.hand) return
    this.state.tool.doublePress?.(this.toolEvent(event), this.context())
  }

  private reset(): void {
    this.mode = "idle"
    this.pointer = -1
    this.penDown = false
  }

  private cancelTool(): void {
    if (this.mode === "tool") this.acting.cancel(this.context())
    this.reset()
  }

  private pinch(moved: number, at: Point): void {
    const other = [...this.touches].find(([id]) => id !== moved)?.[1]
    const before = this.touches.get(moved)
    if (!other || !before) return
    const distance = (p: Point) => Math.hypot(p.x - other.x, p.y - other.y) || 1
    const middle = (p: Point) => ({ x: (p.x + other.x) / 2, y: (p.y + other.y) / 2 })
    const from = middle(before)
    const to = middle(at)
    this.area.pan(to.x - from.x, to.y - from.y)
    this.area.zoom(distance(at) / distance(before), to)
  }

  private onSplit(at: Point): boolean {
    if (this.state.compare !== "slider") return false
    return Math.abs(at.x - this.state.split * this.area.area.width) <= SPLIT_SLACK
  }

  private showCursor(event: PointerEvent): void {
    const { style } = this.area.canvas
    const at = this.area.positionOf(event)
    const hand = this.state.hand || !this.widget.canDraw || this.widget.runs.frames.current !== null
    if (this.mode === "pan") style.cursor = "grabbing"
    else if (this.widget.screen.showing === "result" && this.onSplit(at)) style.cursor = "ew-resize"
    else if (this.mode === "idle" && this.seizes(event, at)) style.cursor = this.cursor(event)
    else if (hand) style.cursor = this.widget.picture ? "grab" : "default"
    else style.cursor = this.mode === "idle" ? this.cursor(event) : this.acting.cursor
  }

  private cursor(event: PointerEvent): string {
    const cursor = this.acting.cursorAt?.(this.toolEvent(event), this.context()) || this.acting.cursor
    // The brush's ring is drawn with the regions alone.
    return cursor === "none" && this.widget.screen.showing === "result" ? "crosshair" : cursor
  }

  private context() {
    return this.area.context(this.notify)
  }

  /** Coalesced events lack buttons and keys in some browsers: those are taken from the event they are part of. */
  private toolEvent(event: MouseEvent, whole: MouseEvent = event): ToolEvent {
    const p = this.area.inPicture(this.area.positionOf(event))
    const pen = event instanceof PointerEvent && event.pointerType === "pen"
    const secondary = whole.button === 2 || whole.button === 5 || (whole.buttons & (2 | 32)) !== 0
    return {
      ...p,
      shift: whole.shiftKey,
      alt: whole.altKey,
      ctrl: whole.ctrlKey || whole.metaKey,
      secondary,
      pressure: pen && event.pressure > 0 ? event.pressure : 1,
    }
  }
}
