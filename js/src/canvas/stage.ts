/** The drawing area of one view: two canvases, the pointer, the viewport. Draws when told that something changed. */

import { el } from "../dom/elements"
import { keyField } from "../dom/focus"
import type { Point } from "../geometry/matrix"
import { bounded, fitIn, pan, type Size, toPicture, wheelScale, zoomAt } from "../geometry/viewport"
import { mark } from "../model/meter"
import type { Session } from "../model/widgetmodel"
import type { ToolContext } from "../tools/tool"
import { paintBase } from "./base"
import { paintOverlay } from "./overlay"
import { Pointers } from "./pointers"
import { VacatedPainter } from "./preview"
import { ringCursor } from "./ring"
import type { ViewState } from "./viewstate"

export class Stage {
  readonly element: HTMLElement
  /** Takes the pointer and the keyboard. */
  readonly canvas: HTMLCanvasElement
  private readonly keys: HTMLTextAreaElement
  private readonly base: HTMLCanvasElement
  private readonly vacated = new VacatedPainter()
  private readonly pointers: Pointers
  private size: Size = { width: 0, height: 0 }
  private ratio = 1
  private fitted = true
  private asked = 0
  private baseKey: unknown[] = []
  private picture: unknown = null
  /** Milliseconds of script that moving the ghost has taken since it was last drawn. */
  private dragged = 0

  constructor(
    private readonly session: Session,
    private readonly state: ViewState,
    tell: (message: string) => void,
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
    this.pointers = new Pointers(this, session, state, tell, signal)
    const again = () => this.invalidate()
    session.changed.on(again, signal)
    state.changed.on(again, signal)
    const sizes = new ResizeObserver(() => this.resize())
    sizes.observe(this.element)
    // Outputs that were detached or skipped while out of sight come back blank in some hosts.
    const sight = new IntersectionObserver((entries) => {
      if (entries.some((e) => e.isIntersecting)) this.resize()
    })
    sight.observe(this.element)
    signal.addEventListener("abort", () => {
      sizes.disconnect()
      sight.disconnect()
      cancelAnimationFrame(this.asked)
    })
    this.canvas.addEventListener("wheel", (e) => this.wheel(e), { passive: false, signal })
  }

  context(tell: (message: string) => void): ToolContext {
    const { layer, brushSize, viewport } = this.state
    return { store: this.session.store, layer, brushSize, viewport, tell }
  }

  invalidate(): void {
    if (this.asked || this.signal.aborted) return
    this.asked = requestAnimationFrame(() => {
      this.asked = 0
      this.draw()
    })
  }

  /** Counts the script of a pointer event that moved the ghost: with its drawing, what the own preview costs. */
  count(milliseconds: number): void {
    this.dragged += milliseconds
  }

  fit(): void {
    this.fitted = true
    this.refit()
  }

  /** One picture pixel to one CSS pixel. */
  full(): void {
    const at = { x: this.size.width / 2, y: this.size.height / 2 }
    this.look(zoomAt(this.state.viewport, at, 1))
  }

  zoom(factor: number, at: Point = { x: this.size.width / 2, y: this.size.height / 2 }): void {
    this.look(zoomAt(this.state.viewport, at, this.state.viewport.scale * factor))
  }

  pan(dx: number, dy: number): void {
    this.look(pan(this.state.viewport, dx, dy))
  }

  /** Whether keys go to the canvas. */
  get focused(): boolean {
    return document.activeElement === this.canvas || document.activeElement === this.keys
  }

  /** A pointer event's place in CSS pixels of the canvas. */
  place(event: { clientX: number; clientY: number }): Point {
    const box = this.canvas.getBoundingClientRect()
    // A host may scale its page: the box is what is seen, the size what is laid out.
    const k = box.width > 0 ? this.size.width / box.width : 1
    return { x: (event.clientX - box.left) * k, y: (event.clientY - box.top) * k }
  }

  inPicture(at: Point): Point {
    return toPicture(this.state.viewport, at)
  }

  get viewSize(): Size {
    return this.size
  }

  private look(viewport: typeof this.state.viewport): void {
    const picture = this.session.picture
    this.fitted = false
    this.state.set({ viewport: picture ? bounded(viewport, picture, this.room) : viewport })
  }

  /** The part of the view that one picture has: half of it side by side. */
  private get room(): Size {
    const side = this.state.compare === "side" && this.session.show === "result"
    return side ? { ...this.size, width: this.size.width / 2 } : this.size
  }

  private refit(): void {
    const picture = this.session.picture
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
    this.baseKey = []
    if (this.fitted) this.refit()
    else if (before.width > 0) {
      const { viewport } = this.state
      this.state.set({ viewport: pan(viewport, (width - before.width) / 2, (height - before.height) / 2) })
    }
    this.invalidate()
  }

  private wheel(event: WheelEvent): void {
    const zooming = event.ctrlKey || event.metaKey
    // Without focus the wheel scrolls the notebook, as people expect of a page.
    if (!zooming && !this.focused && !event.altKey) return
    event.preventDefault()
    if (zooming) {
      const { viewport } = this.state
      this.look(zoomAt(viewport, this.place(event), wheelScale(viewport.scale, event.deltaY)))
    } else if (event.altKey) {
      const turn = event.deltaY || event.deltaX
      this.state.resizeBrush(this.state.brushSize * (turn < 0 ? 1.1 : 1 / 1.1) + (turn < 0 ? 0.5 : -0.5))
    } else {
      const sideways = event.shiftKey && event.deltaX === 0
      this.pan(sideways ? -event.deltaY : -event.deltaX, sideways ? 0 : -event.deltaY)
    }
  }

  private draw(): void {
    const { session, state } = this
    const { picture } = session
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
    this.drawBase()
    this.drawOverlay()
    this.describe()
    if (this.dragged > 0) mark("regiondrag.preview", began - this.dragged, performance.now())
    this.dragged = 0
  }

  private drawBase(): void {
    const { session, state } = this
    const { picture } = session
    const g = this.base.getContext("2d") as CanvasRenderingContext2D
    const result = session.show === "result" ? session.result : null
    const { look } = session.live
    const frame = session.frames.current ?? (look?.whole ? look.draft : null)
    const { viewport, compare, split, original } = state
    const key = [
      picture,
      result,
      frame,
      viewport.scale,
      viewport.x,
      viewport.y,
      compare,
      split,
      original,
      this.ratio,
    ]
    if (key.length === this.baseKey.length && key.every((v, i) => v === this.baseKey[i])) return
    this.baseKey = key
    g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0)
    if (!picture) return g.clearRect(0, 0, this.size.width, this.size.height)
    paintBase(g, { picture, result, frame, compare, split, original }, viewport, this.size)
  }

  private drawOverlay(): void {
    const { session, state } = this
    const g = this.canvas.getContext("2d") as CanvasRenderingContext2D
    g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0)
    g.clearRect(0, 0, this.size.width, this.size.height)
    const { picture, store } = session
    if (!picture || session.show === "result") return
    if (!state.bare && store.regions.width === picture.width && store.regions.height === picture.height) {
      const scene = {
        picture,
        regions: store.shown,
        draft: store.draft,
        ghost: store.ghost,
        preview: state.preview,
        hatched: session.settings.vacated !== "keep",
        opacity: state.opacity,
        look: session.live.look,
        faint: session.frames.current !== null,
      }
      paintOverlay(g, scene, state.viewport, this.ratio, this.vacated)
    }
    if (!session.canDraw || session.frames.current) return
    const context = this.context(() => {})
    state.tool.paint?.(g, context)
    const at = this.pointers.hovered
    if (at && state.tool.cursor === "none" && !state.hand) {
      const rgb = state.tool.id === "eraser" ? "eraser" : state.layer
      ringCursor(g, at, (state.brushSize / 2) * state.viewport.scale, rgb)
    }
  }

  /**
   * What the canvas shows, for people who read it and for scripts that point at it. The centre of picture pixel
   * (px, py) lies data-x + (px + 0.5) * data-scale CSS pixels right of the canvas's left edge, and
   * data-y + (py + 0.5) * data-scale below its top; times devicePixelRatio gives pixels of its bitmap. data-draft
   * is the number of the draft that is shown, in whole or in part.
   */
  private describe(): void {
    const { viewport } = this.state
    const data = this.canvas.dataset
    data.scale = String(viewport.scale)
    data.x = String(viewport.x)
    data.y = String(viewport.y)
    const { frames, show, picture, live } = this.session
    const { look } = live
    const edit = frames.current ? "step" : look?.whole ? "draft" : "regions"
    data.showing = !picture ? "nothing" : show === "result" ? "result" : edit
    data.draft = look ? String(look.draft.seq) : ""
  }
}
