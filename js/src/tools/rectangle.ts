/** Rectangles. */
import type { Point } from "../geometry/matrix"
import { fillRectangle, type Span } from "../geometry/raster"
import { Shape } from "./shape"

/** Draws a rectangle from press to release. */
export class Rectangle extends Shape {
  readonly id = "rectangle"
  readonly icon = "rectangle"
  readonly label = "Rectangle"
  readonly key = "r"
  readonly hint = "Drag a box. Shift makes a square, Alt subtracts"

  protected fill(a: Point, b: Point, span: Span): void {
    fillRectangle(a, b, span)
  }

  protected trace(g: CanvasRenderingContext2D, a: Point, b: Point): void {
    g.rect(Math.min(a.x, b.x), Math.min(a.y, b.y), Math.abs(b.x - a.x), Math.abs(b.y - a.y))
  }
}
