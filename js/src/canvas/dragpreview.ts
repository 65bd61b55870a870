/** The drag preview: the carried pixels at their new place, drawn by the browser at once, without the kernel. */
import type { Carried } from "../document/placement"
import { isEmpty, type Mask } from "../geometry/mask"
import type { Viewport } from "../geometry/viewport"
import type { Picture } from "../model/pictures"
import { paintThroughMesh } from "./meshpixels"
import { drawPlaced, WHITE } from "./placing"
import { maskSprite, type Surface, surface } from "./sprites"

const carriedPixels = new WeakMap<Mask, { picture: Picture; canvas: Surface }>()
const clipped = new WeakMap<Mask, { mask: Mask; picture: Picture; canvas: Surface }>()

/** Draws what is carried where the matrix or the mesh takes it. */
export function paintCarried(
  g: CanvasRenderingContext2D,
  one: Carried,
  picture: Picture,
  viewport: Viewport,
  ratio: number,
): void {
  const { mask, target, matrix, along, mesh } = one
  const pixels = pixelsOf(mask, picture)
  g.save()
  g.imageSmoothingEnabled = true
  if (mesh) paintThroughMesh(g, { pixels, mask, target, along, mesh }, viewport, ratio)
  else if (!target) drawPlaced(g, pixels, mask, matrix, viewport)
  else if (!isEmpty(target)) drawPlaced(g, stretched(one, pixels, picture, target), target, along, viewport)
  g.restore()
}

/** The picture's pixels under the mask, transparent elsewhere; made once per mask. */
function pixelsOf(mask: Mask, picture: Picture): Surface {
  const known = carriedPixels.get(mask)
  if (known?.picture === picture) return known.canvas
  const [canvas, g] = surface(mask.w, mask.h)
  drawSource(g, picture, mask.x0, mask.y0, mask.w, mask.h)
  g.globalCompositeOperation = "destination-in"
  g.drawImage(maskSprite(mask, WHITE), 0, 0)
  carriedPixels.set(mask, { picture, canvas })
  return canvas
}

/** The target's pixels where only a guess of the map is known: the handle's box laid onto the target's. */
function stretched({ mask, matrix }: Carried, pixels: Surface, picture: Picture, target: Mask): Surface {
  const known = clipped.get(target)
  if (known?.picture === picture && known.mask === mask) return known.canvas
  const [canvas, g] = surface(target.w, target.h)
  drawPlaced(g, pixels, mask, matrix, { scale: 1, x: -target.x0, y: -target.y0 })
  g.globalCompositeOperation = "destination-in"
  g.drawImage(maskSprite(target, WHITE), 0, 0)
  clipped.set(target, { mask, picture, canvas })
  return canvas
}

function drawSource(
  g: CanvasRenderingContext2D,
  picture: Picture,
  x: number,
  y: number,
  w: number,
  h: number,
): void {
  const kx = picture.image.width / picture.width
  const ky = picture.image.height / picture.height
  g.drawImage(picture.image, x * kx, y * ky, w * kx, h * ky, 0, 0, w, h)
}
