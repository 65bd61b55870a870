/** The piece that a click would select, lit up under the pointer. */
import { isEmpty, type Mask } from "../geometry/mask"
import type { Viewport } from "../geometry/viewport"
import { drawMask, outlinePath, WHITE } from "./placing"

/** Draws it, in CSS pixels. */
export function paintPiece(g: CanvasRenderingContext2D, mask: Mask, viewport: Viewport): void {
  if (isEmpty(mask)) return
  g.save()
  g.globalAlpha = 0.28
  drawMask(g, mask, WHITE, null, viewport)
  g.globalAlpha = 1
  const path = outlinePath(g, mask, null, viewport)
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
