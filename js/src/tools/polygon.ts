/** Draws a polygon click by click; once it is closed, its vertices can still be moved, added and removed. */

import type { Outline } from "../document/pair"
import { maskOf, outlineOf } from "../document/regions"
import type { Point } from "../geometry/matrix"
import { fillPolygon } from "../geometry/raster"
import { toScreen } from "../geometry/viewport"
import { grabs } from "./grab"
import { marching } from "./shape"
import { straight } from "./straight"
import type { Tool, ToolContext, ToolEvent } from "./tool"

const SLACK = 9

/** The polygon tool. */
export class Polygon implements Tool {
  readonly id = "polygon"
  readonly icon = "polygon"
  readonly label = "Polygon"
  readonly key = "p"
  readonly hint = "Click points; Enter or double click closes. Drag a vertex to move it, Alt-click removes it"
  readonly cursor = "crosshair"
  readonly taps = true
  private points: Point[] = []
  private tip: Point | null = null
  private cut = false
  private moving: { index: number; points: Point[] } | null = null

  get active(): boolean {
    return this.points.length > 0 || this.moving !== null
  }

  press(event: ToolEvent, context: ToolContext): void {
    const at = { x: event.x, y: event.y }
    if (this.points.length > 0) {
      const first = this.points[0] as Point
      if (this.points.length > 2 && near(first, at, context)) return this.close(context)
      this.points.push(event.shift ? straight(this.points.at(-1) as Point, at) : at)
    } else if (!this.grab(event, context)) {
      this.points = [at]
      this.cut = event.secondary || event.alt
    }
    context.store.changed.emit()
  }

  hover(event: ToolEvent, context: ToolContext): void {
    const last = this.points.at(-1)
    if (!last) return
    this.tip = event.shift ? straight(last, event) : { x: event.x, y: event.y }
    context.store.changed.emit()
  }

  drag(events: readonly ToolEvent[], context: ToolContext): void {
    const event = events.at(-1)
    if (!event) return
    if (this.moving) this.moving.points[this.moving.index] = { x: event.x, y: event.y }
    context.store.changed.emit()
  }

  release(_event: ToolEvent, context: ToolContext): void {
    const moving = this.moving
    this.moving = null
    const outline = current(context)
    if (!moving || !outline) return
    this.redraw({ ...outline, points: moving.points }, context)
  }

  doublePress(_event: ToolEvent, context: ToolContext): void {
    // The second press of a double click has added its point twice.
    if (this.points.length > 1) this.points.pop()
    this.close(context)
  }

  keyDown(key: string, _shift: boolean, context: ToolContext): boolean {
    if (this.points.length === 0) return false
    if (key === "Enter") this.close(context)
    else if (key === "Backspace" || key === "Delete" || key === "undo") {
      this.points.pop()
      context.store.changed.emit()
    } else return false
    return true
  }

  cancel(context: ToolContext): void {
    this.points = []
    this.moving = null
    context.store.cancelGesture()
    context.store.changed.emit()
  }

  cursorAt(event: ToolEvent, context: ToolContext): string {
    const outline = current(context)
    const vertex = this.points.length === 0 && outline?.points.some((p) => near(p, event, context))
    return vertex ? "move" : "crosshair"
  }

  grabs(event: ToolEvent, context: ToolContext): boolean {
    const outline = current(context)
    const corners = outline
      ? [...outline.points, ...outline.points.map((_, i) => middle(outline.points, i))]
      : []
    return !corners.some((p) => near(p, event, context)) && grabs(event, context)
  }

  paint(g: CanvasRenderingContext2D, context: ToolContext): void {
    const outline = this.moving ? { points: this.moving.points, cut: false } : current(context)
    if (this.points.length > 0) {
      const tip = this.tip ? [...this.points, this.tip] : this.points
      trace(g, tip, false, this.cut, context)
      vertices(g, this.points, context)
    } else if (outline) {
      trace(g, outline.points, true, outline.cut, context)
      vertices(g, outline.points, context)
      midpoints(g, outline.points, context)
    }
  }

  private close(context: ToolContext): void {
    const points = this.points
    this.points = []
    this.tip = null
    if (points.length < 3) {
      context.notify("A polygon needs three points")
      return context.store.changed.emit()
    }
    const base = maskOf(context.store.regions, context.store.regions.selected, context.layer)
    this.redraw({ base, points, cut: this.cut }, context)
  }

  /** Draws the polygon again over what was beneath it, as one undo step. */
  private redraw(outline: Outline, context: ToolContext): void {
    const stroke = context.store.beginStroke(context.layer, outline.base)
    if (!stroke) return
    fillPolygon(outline.points, (y, a, b) => stroke.buffer.span(y, a, b, outline.cut ? 0 : 1))
    context.store.endStroke(outline)
  }

  private grab(event: ToolEvent, context: ToolContext): boolean {
    const outline = current(context)
    if (!outline) return false
    const index = outline.points.findIndex((p) => near(p, event, context))
    if (index >= 0 && event.alt) {
      if (outline.points.length > 3) {
        this.redraw({ ...outline, points: outline.points.filter((_, i) => i !== index) }, context)
      }
      return true
    }
    if (index >= 0) {
      this.moving = { index, points: [...outline.points] }
      return true
    }
    const side = outline.points.findIndex((_, i) => near(middle(outline.points, i), event, context))
    if (side < 0) return false
    const points = [...outline.points]
    points.splice(side + 1, 0, { x: event.x, y: event.y })
    this.moving = { index: side + 1, points }
    return true
  }
}

/** The outline of the active layer, if it was the last thing drawn there. */
function current(context: ToolContext): Outline | null {
  const { regions } = context.store
  return outlineOf(regions, regions.selected, context.layer)
}

function near(p: Point, at: Point, context: ToolContext): boolean {
  return Math.hypot(p.x - at.x, p.y - at.y) * context.viewport.scale <= SLACK
}

function middle(points: readonly Point[], i: number): Point {
  const p = points[i] as Point
  const q = points[(i + 1) % points.length] as Point
  return { x: (p.x + q.x) / 2, y: (p.y + q.y) / 2 }
}

function trace(
  g: CanvasRenderingContext2D,
  points: readonly Point[],
  closed: boolean,
  cut: boolean,
  context: ToolContext,
): void {
  marching(g, cut, () => {
    points.forEach((point, i) => {
      const p = toScreen(context.viewport, point)
      if (i) g.lineTo(p.x, p.y)
      else g.moveTo(p.x, p.y)
    })
    if (closed) g.closePath()
  })
}

function vertices(g: CanvasRenderingContext2D, points: readonly Point[], context: ToolContext): void {
  g.save()
  g.fillStyle = "#fff"
  g.strokeStyle = "#1f2937"
  g.lineWidth = 1.5
  points.forEach((point, i) => {
    const p = toScreen(context.viewport, point)
    g.beginPath()
    // The first point is larger: a click on it closes.
    g.arc(p.x, p.y, i === 0 ? 5.5 : 4.5, 0, 2 * Math.PI)
    g.fill()
    g.stroke()
  })
  g.restore()
}

function midpoints(g: CanvasRenderingContext2D, points: readonly Point[], context: ToolContext): void {
  g.save()
  g.fillStyle = "rgb(255 255 255 / 0.8)"
  g.strokeStyle = "rgb(31 41 55 / 0.7)"
  points.forEach((_, i) => {
    const p = toScreen(context.viewport, middle(points, i))
    g.beginPath()
    g.arc(p.x, p.y, 2.5, 0, 2 * Math.PI)
    g.fill()
    g.stroke()
  })
  g.restore()
}
