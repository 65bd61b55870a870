/** The piece that a click would select, lit up under the pointer. */
import { isEmpty, type Mask } from "../geometry/mask"
import type { Viewport } from "../geometry/viewport"
import { canvasMatrix, drawPlaced, WHITE } from "./placing"
import { maskOutline, maskSprite } from "./sprites"

/** Draws it, in CSS pixels. */
export function paintPiece(g: CanvasRenderingContext2D, mask: Mask, viewport: Viewport): void {
  if (isEmpty(mask)) return
  g.save()
  g.globalAlpha = 0.28
  drawPlaced(g, maskSprite(mask, WHITE), mask, null, viewport)
  g.globalAlpha = 1
  const path = new Path2D()
  path.addPath(maskOutline(mask), canvasMatrix(null, viewport))
  for (const [color, width] of [
    ["rgb(20 22 26 / 0.75)", 3],
    ["#fff", 1.25],
  ] as const) {
    g.strokeStyle = color
    g.lineWidth = width
    g.stroke(path)
  }
  g.restore()
}
