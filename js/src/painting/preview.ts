/** The drag at pointer speed: the handle's pixels carried to the target, the vacated place hatched. */
import { isEmpty, type Mask } from "../geometry/mask"
import { apply, invert, isAffine, type Matrix } from "../geometry/matrix"
import type { Picture } from "../pictures"
import type { Viewport } from "../viewport"
import { maskSprite, type Surface, surface } from "./sprites"

/** One region being carried, as the browser shows it. */
export interface Carried {
  readonly handle: Mask
  /** Limits where the pixels may land; null lets them land wherever the matrix takes them. */
  readonly target: Mask | null
  readonly matrix: Matrix
}

const WHITE = [255, 255, 255] as const
const cutouts = new WeakMap<Mask, { picture: Picture; canvas: Surface }>()

/** The matrix a painted target stands for until the kernel works out its own: box onto box. */
export function boxMatrix(handle: Mask, target: Mask): Matrix | null {
  if (isEmpty(handle) || isEmpty(target)) return null
  const sx = target.w / handle.w
  const sy = target.h / handle.h
  const tx = target.x0 - 0.5 - sx * (handle.x0 - 0.5)
  const ty = target.y0 - 0.5 - sy * (handle.y0 - 0.5)
  return [sx, 0, tx, 0, sy, ty, 0, 0, 1]
}

/** Hatches the handles' places, save where a target lies: what the edit has to fill. */
export class VacatedPainter {
  private layer: [Surface, CanvasRenderingContext2D] | null = null

  /** `g` has one unit a CSS pixel; `ratio` is device pixels a CSS pixel. */
  paint(g: CanvasRenderingContext2D, carried: readonly Carried[], viewport: Viewport, ratio: number): void {
    const { width, height } = g.canvas
    this.layer ??= surface(width, height)
    const [canvas, h] = this.layer
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width
      canvas.height = height
    }
    h.setTransform(1, 0, 0, 1, 0, 0)
    h.globalCompositeOperation = "source-over"
    h.clearRect(0, 0, width, height)
    const place = (mask: Mask, matrix: Matrix | null) => {
      h.setTransform(ratio, 0, 0, ratio, 0, 0)
      drawPlaced(h, maskSprite(mask, WHITE), mask, matrix, viewport)
    }
    for (const { handle } of carried) place(handle, null)
    h.globalCompositeOperation = "destination-out"
    for (const { handle, target, matrix } of carried) {
      if (target) place(target, null)
      else if (isAffine(matrix)) place(handle, matrix)
    }
    h.globalCompositeOperation = "source-in"
    h.setTransform(1, 0, 0, 1, 0, 0)
    h.fillStyle = hatch(h, ratio)
    h.fillRect(0, 0, width, height)
    g.save()
    g.setTransform(1, 0, 0, 1, 0, 0)
    g.drawImage(canvas, 0, 0)
    g.restore()
  }
}

/** Draws the handle's own pixels where the matrix takes them. */
export function paintCarried(
  g: CanvasRenderingContext2D,
  one: Carried,
  picture: Picture,
  viewport: Viewport,
): void {
  const { handle, target, matrix } = one
  g.save()
  g.imageSmoothingEnabled = true
  if (isAffine(matrix) && !target) {
    drawPlaced(g, cutout(handle, picture), handle, matrix, viewport)
  } else if (target) {
    drawPlaced(g, gathered(one, picture, target), target, null, viewport)
  }
  g.restore()
}

/** Draws a sprite of a mask's bounding box through a matrix (affine) into the view. */
export function drawPlaced(
  g: CanvasRenderingContext2D,
  sprite: Surface,
  mask: Mask,
  matrix: Matrix | null,
  viewport: Viewport,
): void {
  if (isEmpty(mask)) return
  g.save()
  g.translate(viewport.x, viewport.y)
  g.scale(viewport.scale, viewport.scale)
  if (matrix) {
    // The matrix speaks of pixel centres, the canvas of pixel corners: half a pixel each way.
    g.translate(0.5, 0.5)
    g.transform(matrix[0], matrix[3], matrix[1], matrix[4], matrix[2], matrix[5])
    g.translate(-0.5, -0.5)
  }
  g.drawImage(sprite, mask.x0, mask.y0, mask.w, mask.h)
  g.restore()
}

/** The picture's pixels under the handle, clear elsewhere; made once a handle. */
function cutout(handle: Mask, picture: Picture): Surface {
  const known = cutouts.get(handle)
  if (known?.picture === picture) return known.canvas
  const [canvas, g] = surface(handle.w, handle.h)
  drawSource(g, picture, handle.x0, handle.y0, handle.w, handle.h)
  g.globalCompositeOperation = "destination-in"
  g.drawImage(maskSprite(handle, WHITE), 0, 0)
  cutouts.set(handle, { picture, canvas })
  return canvas
}

const gatheredOnce = new WeakMap<Mask, { handle: Mask; picture: Picture; matrix: Matrix; canvas: Surface }>()

/** Pixel by pixel: for a projective matrix, or a painted target that the matrix only approximates. */
function gathered({ handle, matrix }: Carried, picture: Picture, target: Mask): Surface {
  const known = gatheredOnce.get(target)
  if (
    known &&
    known.handle === handle &&
    known.picture === picture &&
    known.matrix.every((n, i) => n === matrix[i])
  ) {
    return known.canvas
  }
  const [source, sg] = surface(handle.w, handle.h)
  drawSource(sg, picture, handle.x0, handle.y0, handle.w, handle.h)
  const from = new Uint32Array(sg.getImageData(0, 0, source.width, source.height).data.buffer)
  const [canvas, g] = surface(target.w, target.h)
  const image = g.createImageData(canvas.width, canvas.height)
  const into = new Uint32Array(image.data.buffer)
  const back = invert(matrix)
  for (let row = 0; back && row < target.h; row++) {
    for (let col = 0; col < target.w; col++) {
      const p = apply(back, { x: target.x0 + col, y: target.y0 + row })
      const x = Math.floor(p.x + 0.5) - handle.x0
      const y = Math.floor(p.y + 0.5) - handle.y0
      if (x >= 0 && y >= 0 && x < handle.w && y < handle.h)
        into[row * target.w + col] = from[y * handle.w + x] as number
    }
  }
  g.putImageData(image, 0, 0)
  g.globalCompositeOperation = "destination-in"
  g.drawImage(maskSprite(target, WHITE), 0, 0)
  gatheredOnce.set(target, { handle, picture, matrix, canvas })
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

let pattern: { ratio: number; canvas: Surface } | null = null

function hatch(g: CanvasRenderingContext2D, ratio: number): CanvasPattern {
  if (pattern?.ratio !== ratio) {
    const side = Math.round(10 * ratio)
    const [canvas, h] = surface(side, side)
    h.fillStyle = "rgb(30 30 34 / 0.62)"
    h.fillRect(0, 0, side, side)
    h.strokeStyle = "rgb(255 255 255 / 0.55)"
    h.lineWidth = 1.5 * ratio
    h.beginPath()
    for (const shift of [-side, 0, side]) {
      h.moveTo(shift - 2, side + 2)
      h.lineTo(shift + side + 2, -2)
    }
    h.stroke()
    pattern = { ratio, canvas }
  }
  return g.createPattern(pattern.canvas, "repeat") as CanvasPattern
}
