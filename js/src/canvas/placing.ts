/** Draws images of masks at their place in the picture, moved by a pair's matrix. */
import { isEmpty, type Mask } from "../geometry/mask"
import type { Matrix } from "../geometry/matrix"
import { reduced, stepFor } from "../geometry/reduce"
import type { Viewport } from "../geometry/viewport"
import type { Rgb } from "./colors"
import { maskOutline, maskSprite, type Surface } from "./sprites"

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

/** Draws a mask in one colour, as finely as the screen shows it. */
export function drawMask(
  g: CanvasRenderingContext2D,
  mask: Mask,
  rgb: Rgb,
  matrix: Matrix | null,
  viewport: Viewport,
): void {
  if (isEmpty(mask)) return
  const place = canvasMatrix(matrix, viewport)
  const step = stepShown(g, place)
  const small = reduced(mask, step)
  g.save()
  g.transform(place.a, place.b, place.c, place.d, place.e, place.f)
  g.drawImage(maskSprite(small, rgb), small.x0 * step, small.y0 * step, small.w * step, small.h * step)
  g.restore()
}

/** A mask's border in CSS pixels, as fine as the screen shows it. */
export function outlinePath(
  g: CanvasRenderingContext2D,
  mask: Mask,
  matrix: Matrix | null,
  viewport: Viewport,
): Path2D {
  const place = canvasMatrix(matrix, viewport)
  const step = stepShown(g, place)
  const path = new Path2D()
  path.addPath(maskOutline(reduced(mask, step)), place.scaleSelf(step))
  return path
}

/** How many of the picture's pixels, each way, are at most one of the canvas where they are placed so. */
function stepShown(g: CanvasRenderingContext2D, { a, b, c, d }: DOMMatrix): number {
  const ratio = g.getTransform().a
  return stepFor(ratio * Math.max(Math.hypot(a, b), Math.hypot(c, d)))
}
