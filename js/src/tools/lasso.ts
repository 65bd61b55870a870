/** Draws around a region in one sweep; the loop closes by itself. */
import type { Point } from "../geometry/matrix"
import { fillPolygon } from "../geometry/raster"
import { toScreen } from "../geometry/viewport"
import { grabs } from "./grab"
import { marching } from "./shape"
import type { Tool, ToolContext, ToolEvent } from "./tool"

/** The lasso. */
export class Lasso implements Tool {
  readonly id = "lasso"
  readonly icon = "lasso"
  readonly label = "Lasso"
  readonly key = "l"
  readonly hint = "Draw around the region. Alt subtracts"
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
    const stroke = points.length > 2 ? context.store.beginStroke(context.layer) : null
    if (!stroke) return context.store.changed.emit()
    fillPolygon(points, (y, first, last) => stroke.buffer.span(y, first, last, this.cut ? 0 : 1))
    context.store.endStroke()
  }

  cancel(context: ToolContext): void {
    this.points = []
    context.store.changed.emit()
  }

  grabs(event: ToolEvent, context: ToolContext): boolean {
    return grabs(event, context)
  }

  paint(g: CanvasRenderingContext2D, context: ToolContext): void {
    if (!this.active) return
    marching(g, this.cut, () => {
      this.points.forEach((point, i) => {
        const p = toScreen(context.viewport, point)
        if (i) g.lineTo(p.x, p.y)
        else g.moveTo(p.x, p.y)
      })
      g.closePath()
    })
  }
}
