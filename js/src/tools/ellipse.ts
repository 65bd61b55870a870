/** Ellipses. */
import type { Point } from "../geometry/matrix"
import { fillEllipse, type Span } from "../geometry/raster"
import { Shape } from "./shape"

/** Draws an ellipse in the box from press to release. */
export class Ellipse extends Shape {
  readonly id = "ellipse"
  readonly icon = "ellipse"
  readonly label = "Ellipse"
  readonly key = "o"
  readonly hint = "Drag the box of an ellipse. Shift makes a circle, Alt subtracts"

  protected fill(a: Point, b: Point, span: Span): void {
    fillEllipse(a, b, span)
  }

  protected trace(g: CanvasRenderingContext2D, a: Point, b: Point): void {
    const [cx, cy] = [(a.x + b.x) / 2, (a.y + b.y) / 2]
    g.ellipse(cx, cy, Math.abs(b.x - a.x) / 2, Math.abs(b.y - a.y) / 2, 0, 0, 2 * Math.PI)
  }
}
