/** Draws images of masks at their place in the picture, moved by a pair's matrix. */
import { isEmpty, type Mask } from "../geometry/mask"
import type { Matrix } from "../geometry/matrix"
import type { Viewport } from "../geometry/viewport"
import type { Surface } from "./sprites"

/** An opaque colour for sprites that serve as stencils. */
export const WHITE = [255, 255, 255] as const

/**
 * Takes picture coordinates as a canvas counts them (a pixel spans x to x + 1) to CSS pixels, by way of an affine
 * matrix if there is one. A pair's matrix is about pixel centres, a canvas about pixel corners: half a pixel each way.
 */
export function canvasMatrix(matrix: Matrix | null, viewport: Viewport): DOMMatrix {
  const m = new DOMMatrix([viewport.scale, 0, 0, viewport.scale, viewport.x, viewport.y])
  if (!matrix) return m
  const [a, b, tx, c, d, ty] = matrix
  return m
    .translateSelf(0.5, 0.5)
    .multiplySelf(new DOMMatrix([a, c, b, d, tx, ty]))
    .translateSelf(-0.5, -0.5)
}

/** Draws an image of a mask's bounding box, moved by an affine matrix if there is one. */
export function drawPlaced(
  g: CanvasRenderingContext2D,
  image: Surface,
  mask: Mask,
  matrix: Matrix | null,
  viewport: Viewport,
): void {
  if (isEmpty(mask)) return
  const { a, b, c, d, e, f } = canvasMatrix(matrix, viewport)
  g.save()
  g.transform(a, b, c, d, e, f)
  g.drawImage(image, mask.x0, mask.y0, mask.w, mask.h)
  g.restore()
}
