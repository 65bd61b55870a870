/** The drag preview: the carried pixels at their new place, drawn by the browser at once, without the kernel. */
import type { Carried } from "../document/placement"
import { isEmpty, type Mask } from "../geometry/mask"
import { apply, invert, isAffine, type Matrix } from "../geometry/matrix"
import type { Viewport } from "../geometry/viewport"
import type { Picture } from "../model/pictures"
import { drawPlaced, WHITE } from "./placing"
import { maskSprite, type Surface, surface } from "./sprites"

const carriedPixels = new WeakMap<Mask, { picture: Picture; canvas: Surface }>()
const gatheredOnce = new WeakMap<Mask, { mask: Mask; picture: Picture; matrix: Matrix; canvas: Surface }>()

/** Draws what is carried where the matrix takes them. */
export function paintCarried(
  g: CanvasRenderingContext2D,
  one: Carried,
  picture: Picture,
  viewport: Viewport,
): void {
  const { mask, target, matrix, along } = one
  g.save()
  g.imageSmoothingEnabled = true
  if (isAffine(matrix) && !target) {
    drawPlaced(g, pixelsOf(mask, picture), mask, matrix, viewport)
  } else if (target && !isEmpty(target)) {
    drawPlaced(g, gathered(one, picture, target), target, along, viewport)
  }
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

/** The target's pixels, gathered one by one: for a projective matrix, or a painted target that the matrix only approximates. */
function gathered({ mask, matrix }: Carried, picture: Picture, target: Mask): Surface {
  const known = gatheredOnce.get(target)
  if (
    known &&
    known.mask === mask &&
    known.picture === picture &&
    known.matrix.every((n, i) => n === matrix[i])
  ) {
    return known.canvas
  }
  const source = pixelsOf(mask, picture)
  const sg = source.getContext("2d") as CanvasRenderingContext2D
  const from = new Uint32Array(sg.getImageData(0, 0, source.width, source.height).data.buffer)
  const [canvas, g] = surface(target.w, target.h)
  const image = g.createImageData(canvas.width, canvas.height)
  const into = new Uint32Array(image.data.buffer)
  const back = invert(matrix)
  for (let row = 0; back && row < target.h; row++) {
    for (let col = 0; col < target.w; col++) {
      const p = apply(back, { x: target.x0 + col, y: target.y0 + row })
      const x = Math.floor(p.x + 0.5) - mask.x0
      const y = Math.floor(p.y + 0.5) - mask.y0
      if (x >= 0 && y >= 0 && x < mask.w && y < mask.h)
        into[row * target.w + col] = from[y * mask.w + x] as number
    }
  }
  g.putImageData(image, 0, 0)
  g.globalCompositeOperation = "destination-in"
  g.drawImage(maskSprite(target, WHITE), 0, 0)
  gatheredOnce.set(target, { mask, picture, matrix, canvas })
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
