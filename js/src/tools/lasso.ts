/** Draws round a region with one sweep; the loop closes itself. */
import type { Point } from "../geometry/matrix"
import { fillPolygon } from "../geometry/raster"
import { toView } from "../geometry/viewport"
import { marching } from "./shape"
import type { Tool, ToolContext, ToolEvent } from "./tool"

export class Lasso implements Tool {
  readonly id = "lasso"
  readonly label = "Lasso"
  readonly key = "l"
  readonly hint = "Draw round the region. Alt cuts away"
  readonly cursor = "crosshair"
  private points: Point[] = []
  private cut = false

  get active(): boolean {
    return this.points.length > 0
  }

  press(event: ToolEvent, context: ToolContext): void {
    this.points = [{ x: event.x, y: event.y }]
    this.cut = event.secondary || event.alt
    context.store.changed.emit()
  }

  drag(events: readonly ToolEvent[], context: ToolContext): void {
    if (!this.active) return
    for (const { x, y } of events) this.points.push({ x, y })
    context.store.changed.emit()
  }

  release(_event: ToolEvent, context: ToolContext): void {
    const points = this.points
    this.points = []
    const draft = points.length > 2 ? context.store.beginDraft(context.layer) : null
    if (!draft) return context.store.changed.emit()
    fillPolygon(points, (y, first, last) => draft.buffer.span(y, first, last, this.cut ? 0 : 1))
    context.store.endDraft()
  }

  cancel(context: ToolContext): void {
    this.points = []
    context.store.changed.emit()
  }

  paint(g: CanvasRenderingContext2D, context: ToolContext): void {
    if (!this.active) return
    marching(g, this.cut, () => {
      this.points.forEach((point, i) => {
        const p = toView(context.viewport, point)
        if (i) g.lineTo(p.x, p.y)
        else g.moveTo(p.x, p.y)
      })
      g.closePath()
    })
  }
}
