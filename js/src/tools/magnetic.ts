/** A lasso whose outline snaps to edges: clicks set anchors, and the way between them follows what is in the picture. */
import { maskOf } from "../document/regions"
import { sameMask } from "../geometry/mask"
import type { Point } from "../geometry/matrix"
import { fillPolygon } from "../geometry/raster"
import { toScreen } from "../geometry/viewport"
import { grabs } from "./grab"
import { marching } from "./shape"
import type { Tool, ToolContext, ToolEvent } from "./tool"

const SLACK = 9

/** An anchor, and the way to it from the one before. */
interface Anchor {
  readonly at: Point
  way: readonly Point[]
}

/** The magnetic lasso. */
export class MagneticLasso implements Tool {
  readonly id = "magnetic"
  readonly icon = "magnet"
  readonly label = "Magnetic lasso"
  readonly key = "g"
  readonly hint =
    "Click along an edge: the outline snaps to it. Backspace takes one back, double click closes"
  readonly cursor = "crosshair"
  readonly taps = true
  private anchors: Anchor[] = []
  /** The way from the last anchor to the pointer. */
  private tip: readonly Point[] = []
  private cut = false
  /** What must still come before the outline can be closed. */
  private pending: Promise<unknown> = Promise.resolve()

  get active(): boolean {
    return this.anchors.length > 0
  }

  press(event: ToolEvent, context: ToolContext): void {
    const at = inside({ x: event.x, y: event.y }, context)
    const first = this.anchors[0]
    if (!first) this.cut = event.secondary || event.alt
    else if (this.anchors.length > 2 && near(first.at, at, context)) return this.close(context)
    const last = this.anchors.at(-1)
    const anchor: Anchor = { at, way: [at] }
    this.anchors.push(anchor)
    this.tip = []
    if (last) this.pending = Promise.all([this.pending, this.follow(last.at, anchor, context)])
    context.store.changed.emit()
  }

  hover(event: ToolEvent, context: ToolContext): void {
    const last = this.anchors.at(-1)
    if (!last) return
    const at = inside({ x: event.x, y: event.y }, context)
    if (context.select.isAsking("path")) return
    void context.select.ask("path", { points: [last.at, at] }).then((found) => {
      if (!found || this.anchors.at(-1) !== last) return
      this.tip = found.path
      context.store.changed.emit()
    })
  }

  drag(): void {}

  release(): void {}

  doublePress(_event: ToolEvent, context: ToolContext): void {
    // The second press of a double click has set its anchor twice.
    if (this.anchors.length > 1) this.anchors.pop()
    this.close(context)
  }

  keyDown(key: string, _shift: boolean, context: ToolContext): boolean {
    if (!this.active) return false
    if (key === "Enter") this.close(context)
    else if (key === "Backspace" || key === "Delete" || key === "undo") {
      this.anchors.pop()
      this.tip = []
      context.store.changed.emit()
    } else return false
    return true
  }

  cancel(context: ToolContext): void {
    this.anchors = []
    this.tip = []
    context.store.changed.emit()
  }

  grabs(event: ToolEvent, context: ToolContext): boolean {
    return grabs(event, context)
  }

  paint(g: CanvasRenderingContext2D, context: ToolContext): void {
    if (!this.active) return
    const view = (p: Point) => toScreen(context.viewport, p)
    marching(g, this.cut, () => {
      const way = [...this.anchors.flatMap((anchor) => anchor.way), ...this.tip].map(view)
      way.forEach((p, i) => {
        if (i) g.lineTo(p.x, p.y)
        else g.moveTo(p.x, p.y)
      })
    })
    g.save()
    g.fillStyle = "#fff"
    g.strokeStyle = "#1f2937"
    for (const [i, { at }] of this.anchors.entries()) {
      const p = view(at)
      g.beginPath()
      g.arc(p.x, p.y, i === 0 ? 5.5 : 4, 0, 2 * Math.PI)
      g.fill()
      g.stroke()
    }
    g.restore()
  }

  private async follow(from: Point, anchor: Anchor, context: ToolContext): Promise<void> {
    const found = await context.select.ask("path", { points: [from, anchor.at] })
    // Without an answer the way stays straight.
    if (found && found.path.length > 0) anchor.way = found.path
    context.store.changed.emit()
  }

  /** Closes the outline once all of it is known. */
  private close(context: ToolContext): void {
    const { anchors, cut, pending } = this
    const first = anchors[0]
    const last = anchors.at(-1)
    this.cancel(context)
    if (!first || !last || anchors.length < 2) return context.notify("A lasso needs two points or more")
    const base = maskOf(context.store.regions, context.store.regions.selected, context.layer)
    const closing: Anchor = { at: first.at, way: [first.at] }
    void Promise.all([pending, this.follow(last.at, closing, context)]).then(() => {
      const ring = [...anchors, closing].flatMap((anchor) => anchor.way)
      const now = maskOf(context.store.regions, context.store.regions.selected, context.layer)
      if (!sameMask(now, base)) return
      const stroke = context.store.beginStroke(context.layer)
      if (!stroke) return
      fillPolygon(ring, (y, a, b) => stroke.buffer.span(y, a, b, cut ? 0 : 1))
      context.store.endStroke()
    })
  }
}

function near(p: Point, at: Point, context: ToolContext): boolean {
  return Math.hypot(p.x - at.x, p.y - at.y) * context.viewport.scale <= SLACK
}

/** The nearest place of the picture: edges are only found there. */
function inside({ x, y }: Point, { store }: ToolContext): Point {
  const clamp = (v: number, size: number) => Math.min(size - 1, Math.max(0, v))
  return { x: clamp(x, store.regions.width), y: clamp(y, store.regions.height) }
}
