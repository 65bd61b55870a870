/** Paints the two canvases of one view from the state of its widget. */
import type { Size } from "../geometry/viewport"
import type { WidgetModel } from "../model/widgetmodel"
import { paintBase } from "./base"
import { paintOverlay } from "./overlay"
import { VacatedPainter } from "./vacated"
import type { ViewState } from "./viewstate"

/** Paints the lower canvas when something on it has changed, and the upper one every time. */
export class Painter {
  private readonly vacated = new VacatedPainter()
  /** Everything that the lower canvas shows, as it was painted last. */
  private painted: unknown[] = []

  constructor(
    private readonly base: HTMLCanvasElement,
    private readonly overlay: HTMLCanvasElement,
    private readonly widget: WidgetModel,
    private readonly state: ViewState,
  ) {}

  /** Paints the lower canvas at the next call, whether or not anything has changed. */
  forget(): void {
    this.painted = []
  }

  /**
   * Paints both canvases. `size` is in CSS pixels and `ratio` is device pixels per CSS pixel; `paintTool` draws the
   * tool in hand on top.
   */
  paint(size: Size, ratio: number, paintTool: (g: CanvasRenderingContext2D) => void): void {
    this.paintBase(size, ratio)
    this.paintOverlay(size, ratio, paintTool)
    this.describe()
  }

  private paintBase(size: Size, ratio: number): void {
    const { widget, state } = this
    const { picture } = widget
    const g = this.base.getContext("2d") as CanvasRenderingContext2D
    const result = widget.screen.showing === "result" ? widget.results.picture : null
    const { shownDraft } = widget.live
    const frame = widget.runs.frames.current ?? (shownDraft?.whole ? shownDraft.draft : null)
    const { viewport, compare, split, original } = state
    const { scale, x, y } = viewport
    const shown = [picture, result, frame, scale, x, y, compare, split, original, ratio]
    if (shown.length === this.painted.length && shown.every((v, i) => v === this.painted[i])) return
    this.painted = shown
    g.setTransform(ratio, 0, 0, ratio, 0, 0)
    if (!picture) return g.clearRect(0, 0, size.width, size.height)
    paintBase(g, { picture, result, frame, compare, split, original }, viewport, size)
  }

  private paintOverlay(size: Size, ratio: number, paintTool: (g: CanvasRenderingContext2D) => void): void {
    const { widget, state } = this
    const g = this.overlay.getContext("2d") as CanvasRenderingContext2D
    g.setTransform(ratio, 0, 0, ratio, 0, 0)
    g.clearRect(0, 0, size.width, size.height)
    const { picture, store } = widget
    if (!picture || widget.screen.showing === "result") return
    if (!state.bare && store.regions.width === picture.width && store.regions.height === picture.height) {
      const scene = {
        picture,
        regions: store.shown,
        stroke: store.stroke,
        ghost: store.ghost,
        findings: store.findings,
        routes: store.routes,
        dragPreview: state.dragPreview,
        hatched: widget.settings.current.vacated !== "keep",
        opacity: state.opacity,
        shownDraft: widget.live.shownDraft,
        faint: widget.runs.frames.current !== null,
      }
      paintOverlay(g, scene, state.viewport, ratio, this.vacated)
    }
    if (widget.canDraw && !widget.runs.frames.current) paintTool(g)
  }

  /**
   * Says what the canvas shows, for scripts that point at it. The centre of picture pixel (px, py) lies
   * data-x + (px + 0.5) * data-scale CSS pixels right of the canvas's left edge, and data-y + (py + 0.5) * data-scale
   * below its top; times devicePixelRatio gives pixels of its bitmap. data-draft is the number of the draft that is
   * shown, in whole or in part.
   */
  private describe(): void {
    const { viewport } = this.state
    const data = this.overlay.dataset
    data.scale = String(viewport.scale)
    data.x = String(viewport.x)
    data.y = String(viewport.y)
    const { runs, screen, picture, live } = this.widget
    const { shownDraft } = live
    const edit = runs.frames.current ? "step" : shownDraft?.whole ? "draft" : "regions"
    data.showing = !picture ? "nothing" : screen.showing === "result" ? "result" : edit
    data.draft = shownDraft ? String(shownDraft.draft.seq) : ""
  }
}
