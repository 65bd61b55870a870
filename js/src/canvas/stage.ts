/** The drawing area of one view: two canvases, the pointer and the viewport. */

import { onChange } from "../document/signal"
import { el } from "../dom/elements"
import { keyField } from "../dom/focus"
import type { Mask } from "../geometry/mask"
import type { Point } from "../geometry/matrix"
import { bounded, fitIn, pan, type Size, toPicture, toScreen, wheelScale, zoomAt } from "../geometry/viewport"
import { mark } from "../model/marks"
import type { WidgetModel } from "../model/widgetmodel"
import type { ToolContext } from "../tools/tool"
import { KeyPointer } from "./keypointer"
import { Painter } from "./painter"
import { paintPiece } from "./piece"
import { type PointerArea, Pointers } from "./pointers"
import { ringCursor } from "./ring"
import type { ViewState } from "./viewstate"

/** Keeps the viewport, and draws when told that something has changed. */
export class Stage implements PointerArea {
  readonly element: HTMLElement
  /** Takes the pointer and the keyboard. */
  readonly canvas: HTMLCanvasElement
  /** The pointer that keys move. */
  readonly keyPointer: KeyPointer
  private readonly keys: HTMLTextAreaElement
  private readonly base: HTMLCanvasElement
  private readonly pointers: Pointers
  private readonly painter: Painter
  private size: Size = { width: 0, height: 0 }
  private ratio = 1
  private fitted = true
  private frameRequest = 0
  private picture: unknown = null
  /** Milliseconds of script that moving the ghost has taken since it was last drawn. */
  private dragged = 0

  constructor(
    private readonly widget: WidgetModel,
    private readonly state: ViewState,
    notify: (message: string) => void,
    private readonly signal: AbortSignal,
  ) {
    this.base = el("canvas", { class: "rd-layer", "aria-hidden": "true" })
    this.canvas = el("canvas", {
      class: "rd-layer rd-input",
      role: "application",
      tabindex: 0,
      "aria-label": "Region canvas",
      "aria-description": "Draw regions with a tool; press the question mark for the keys",
      "data-jp-suppress-context-menu": true,
    })
    this.keys = keyField(this.canvas, signal)
    this.element = el("div", { class: "rd-stage" }, this.base, this.canvas, this.keys)
    this.pointers = new Pointers(this, widget, state, notify, signal)
    const context = () => this.context(notify)
    this.keyPointer = new KeyPointer(state, widget, context, (event) => this.pointers.toolFor(event))
    this.painter = new Painter(this.base, this.canvas, widget, state)
    const redraw = () => this.invalidate()
    onChange([widget, state], redraw, signal)
    const sizes = new ResizeObserver(() => this.resize())
    sizes.observe(this.element)
    // In some hosts, outputs that were detached or out of sight come back blank.
    const sight = new IntersectionObserver((entries) => {
      if (entries.some((e) => e.isIntersecting)) this.resize()
    })
    sight.observe(this.element)
    signal.addEventListener("abort", () => {
      sizes.disconnect()
      sight.disconnect()
      cancelAnimationFrame(this.frameRequest)
    })
    this.canvas.addEventListener("wheel", (e) => this.wheel(e), { passive: false, signal })
  }

  context(notify: (message: string) => void): ToolContext {
    const { layer, brushSize, viewport, boxes, tolerance, contiguous } = this.state
    const { store, selecting: select } = this.widget
    const outline = (g: CanvasRenderingContext2D, mask: Mask) => paintPiece(g, mask, viewport)
    const options = { layer, brushSize, boxes, tolerance, contiguous }
    return { ...options, store, viewport, area: this.size, select, outline, notify }
  }

  /** Draws with the next animation frame. */
  invalidate(): void {
    if (this.frameRequest || this.signal.aborted) return
    this.frameRequest = requestAnimationFrame(() => {
      this.frameRequest = 0
      this.draw()
    })
  }

  /** Counts the script time of a pointer event that moved the ghost: part of what the drag preview costs. */
  count(milliseconds: number): void {
    this.dragged += milliseconds
  }

  /** Shows the whole picture, also after the view changes its size. */
  fit(): void {
    this.fitted = true
    this.refit()
  }

  /** Shows one picture pixel as one CSS pixel. */
  full(): void {
    const at = { x: this.size.width / 2, y: this.size.height / 2 }
    this.setViewport(zoomAt(this.state.viewport, at, 1))
  }

  /** Zooms by a factor about a point in CSS pixels. */
  zoom(factor: number, at: Point = { x: this.size.width / 2, y: this.size.height / 2 }): void {
    this.setViewport(zoomAt(this.state.viewport, at, this.state.viewport.scale * factor))
  }

  /** Moves the picture by CSS pixels. */
  pan(dx: number, dy: number): void {
    this.setViewport(pan(this.state.viewport, dx, dy))
  }

  /** The whole view that the drawing area is part of. */
  get root(): HTMLElement {
    return this.element.closest<HTMLElement>(".rd-root") ?? this.element
  }

  /** Whether the canvas has the keyboard. */
  get focused(): boolean {
    return document.activeElement === this.canvas || document.activeElement === this.keys
  }

  /** A pointer event's position in CSS pixels of the canvas. */
  positionOf(event: { clientX: number; clientY: number }): Point {
    const box = this.canvas.getBoundingClientRect()
    // A host may scale its page: the box is the size on the screen, `size` the one of the layout.
    const k = box.width > 0 ? this.size.width / box.width : 1
    return { x: (event.clientX - box.left) * k, y: (event.clientY - box.top) * k }
  }

  /** A position in CSS pixels as a point of the picture. */
  inPicture(at: Point): Point {
    return toPicture(this.state.viewport, at)
  }

  /** The size of the drawing area in CSS pixels. */
  get area(): Size {
    return this.size
  }

  private setViewport(viewport: typeof this.state.viewport): void {
    const picture = this.widget.picture
    this.fitted = false
    this.state.set({ viewport: picture ? bounded(viewport, picture, this.room) : viewport })
  }

  /** The part of the area that one picture has: half of it if two stand side by side. */
  private get room(): Size {
    const side = this.state.compare === "side" && this.widget.screen.showing === "result"
    return side ? { ...this.size, width: this.size.width / 2 } : this.size
  }

  private refit(): void {
    const picture = this.widget.picture
    if (!picture || this.size.width === 0) return
    this.state.set({ viewport: fitIn(picture, this.room) })
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.element
    if (width === 0 || height === 0) return
    const before = this.size
    this.size = { width, height }
    this.ratio = window.devicePixelRatio || 1
    for (const canvas of [this.base, this.canvas]) {
      const w = Math.round(width * this.ratio)
      const h = Math.round(height * this.ratio)
      if (canvas.width !== w) canvas.width = w
      if (canvas.height !== h) canvas.height = h
    }
    this.painter.forget()
    if (this.fitted) this.refit()
    else if (before.width > 0) {
      const { viewport } = this.state
      this.state.set({ viewport: pan(viewport, (width - before.width) / 2, (height - before.height) / 2) })
    }
    this.invalidate()
  }

  private wheel(event: WheelEvent): void {
    const zooming = event.ctrlKey || event.metaKey
    // Without focus the wheel scrolls the notebook, as users expect of a page.
    if (!zooming && !this.focused && !event.altKey) return
    event.preventDefault()
    if (zooming) {
      const { viewport } = this.state
      this.setViewport(zoomAt(viewport, this.positionOf(event), wheelScale(viewport.scale, event.deltaY)))
    } else if (event.altKey) {
      const turn = event.deltaY || event.deltaX
      this.state.resizeBrush(this.state.brushSize * (turn < 0 ? 1.1 : 1 / 1.1) + (turn < 0 ? 0.5 : -0.5))
    } else {
      const sideways = event.shiftKey && event.deltaX === 0
      this.pan(sideways ? -event.deltaY : -event.deltaX, sideways ? 0 : -event.deltaY)
    }
  }

  private draw(): void {
    const { widget, state } = this
    const { picture } = widget
    if (this.size.width === 0) return
    const began = performance.now()
    if (picture !== this.picture) {
      const before = this.picture as Size | null
      this.picture = picture
      const sameSize = before && picture && before.width === picture.width && before.height === picture.height
      if (!sameSize) this.fitted = true
    }
    if (this.fitted && picture) {
      const wanted = fitIn(picture, this.room)
      if (
        wanted.scale !== state.viewport.scale ||
        wanted.x !== state.viewport.x ||
        wanted.y !== state.viewport.y
      ) {
        state.viewport = wanted
        state.changed.emit()
      }
    }
    this.painter.paint(this.size, this.ratio, (g) => this.paintTool(g))
    if (this.dragged > 0) mark("regiondrag.preview", began - this.dragged, performance.now())
    this.dragged = 0
  }

  /** What the tool in hand draws itself, and its cursor. */
  private paintTool(g: CanvasRenderingContext2D): void {
    const { state } = this
    state.tool.paint?.(
      g,
      this.context(() => {}),
    )
    if (state.keyAt) ringCursor(g, toScreen(state.viewport, state.keyAt), 4, state.layer)
    const at = this.pointers.hovered
    if (!at || state.tool.cursor !== "none" || state.hand || this.pointers.grabbing) return
    const kind = state.tool.id === "eraser" ? "eraser" : state.layer
    ringCursor(g, at, (state.brushSize / 2) * state.viewport.scale, kind)
  }
}
