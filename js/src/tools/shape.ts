/** What rectangle and ellipse share: a box from press to release. */

import { maskOf } from "../document/regions"
import type { IconName } from "../dom/icons"
import { isEmpty } from "../geometry/mask"
import type { Point } from "../geometry/matrix"
import type { Span } from "../geometry/raster"
import { toScreen } from "../geometry/viewport"
import { grabs } from "./grab"
import type { Tool, ToolContext, ToolEvent } from "./tool"

/** A shape spanned by two corners; subclasses fill it and trace its outline. */
export abstract class Shape implements Tool {
  abstract readonly id: string
  abstract readonly label: string
  abstract readonly icon: IconName
  abstract readonly key: string
  abstract readonly hint: string
  readonly cursor = "crosshair"
  private corners: { a: Point; b: Point; cut: boolean } | null = null

  get active(): boolean {
    return this.corners !== null
  }

  protected abstract fill(a: Point, b: Point, span: Span): void
  protected abstract trace(g: CanvasRenderingContext2D, a: Point, b: Point): void

  press(event: ToolEvent, context: ToolContext): void {
    const at = { x: event.x, y: event.y }
    this.corners = { a: at, b: at, cut: event.secondary || event.alt }
    context.store.changed.emit()
  }

  drag(events: readonly ToolEvent[], context: ToolContext): void {
    const event = events.at(-1)
    if (!this.corners || !event) return
    const { a } = this.corners
    const b = event.shift ? squared(a, event) : { x: event.x, y: event.y }
    this.corners = { ...this.corners, b }
    context.store.changed.emit()
  }

  release(_event: ToolEvent, context: ToolContext): void {
    const box = this.corners
    this.corners = null
    if (!box) return
    const moved = Math.abs(box.b.x - box.a.x) + Math.abs(box.b.y - box.a.y)
    // A click without a drag does nothing, nor does cutting from an empty mask.
    const nothing =
      box.cut && isEmpty(maskOf(context.store.regions, context.store.regions.selected, context.layer))
    if (moved < 1 || nothing) return context.store.changed.emit()
    const stroke = context.store.beginStroke(context.layer)
    if (!stroke) return
    this.fill(box.a, box.b, (y, first, last) => stroke.buffer.span(y, first, last, box.cut ? 0 : 1))
    context.store.endStroke()
  }

  cancel(context: ToolContext): void {
    this.corners = null
    context.store.changed.emit()
  }

  grabs(event: ToolEvent, context: ToolContext): boolean {
    return grabs(event, context)
  }

  paint(g: CanvasRenderingContext2D, context: ToolContext): void {
    if (!this.corners) return
    const a = toScreen(context.viewport, this.corners.a)
    const b = toScreen(context.viewport, this.corners.b)
    marching(g, this.corners.cut, () => this.trace(g, a, b))
  }
}

/** The corner that makes both sides equal, in the direction of the pointer. */
function squared(a: Point, to: Point): Point {
  const side = Math.max(Math.abs(to.x - a.x), Math.abs(to.y - a.y))
  return { x: a.x + Math.sign(to.x - a.x || 1) * side, y: a.y + Math.sign(to.y - a.y || 1) * side }
}

/** Strokes a path so that it shows on any picture: white under dashes in black (red if it cuts). */
export function marching(g: CanvasRenderingContext2D, cut: boolean, trace: () => void): void {
  g.save()
  g.beginPath()
  trace()
  g.strokeStyle = "rgb(255 255 255 / 0.9)"
  g.lineWidth = 2.5
  g.stroke()
  g.strokeStyle = cut ? "#c81e3a" : "#1f2937"
  g.lineWidth = 1.25
  g.setLineDash([5, 4])
  g.stroke()
  g.restore()
}
