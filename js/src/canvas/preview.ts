/** The drag at pointer speed: the handle's pixels carried to the target, the vacated place hatched or filled. */
import type { Carried } from "../document/carried"
import { isEmpty, type Mask } from "../geometry/mask"
import { apply, invert, isAffine, type Matrix } from "../geometry/matrix"
import type { Viewport } from "../geometry/viewport"
import type { Draft } from "../model/drafts"
import type { Picture } from "../model/pictures"
import { maskSprite, type Surface, surface } from "./sprites"

const WHITE = [255, 255, 255] as const
const cutouts = new WeakMap<Mask, { picture: Picture; canvas: Surface }>()

/** Marks the handles' places, save where a target lies: what the edit has to fill. */
export class VacatedPainter {
  private layer: [Surface, CanvasRenderingContext2D] | null = null

  /**
   * Hatches them; what a draft has filled already is shown filled instead, save where its own targets lay. `g` has
   * one unit a CSS pixel; `ratio` is device pixels a CSS pixel.
   */
  paint(
    g: CanvasRenderingContext2D,
    carried: readonly Carried[],
    draft: Draft | null,
    viewport: Viewport,
    ratio: number,
  ): void {
    this.stencil(g, [carried], viewport, ratio, (h) => {
      h.setTransform(1, 0, 0, 1, 0, 0)
      h.fillStyle = hatch(h, ratio)
      h.fillRect(0, 0, h.canvas.width, h.canvas.height)
    })
    if (!draft) return
    this.stencil(g, [carried, draft.carried], viewport, ratio, (h) => {
      const [x0, y0, x1, y1] = draft.box
      const { scale, x, y } = viewport
      h.drawImage(draft.image, x + x0 * scale, y + y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale)
    })
  }

  /** Draws inside the handles of the first list and outside the targets of all. */
  private stencil(
    g: CanvasRenderingContext2D,
    lists: readonly (readonly Carried[])[],
    viewport: Viewport,
    ratio: number,
    draw: (h: CanvasRenderingContext2D) => void,
  ): void {
    const { width, height } = g.canvas
    this.layer ??= surface(width, height)
    const [canvas, h] = this.layer
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width
      canvas.height = height
    }
    const masks = (lists[0] ?? []).map(({ handle }) => handle)
    const [x, y, w, tall] = deviceBox(masks, viewport, ratio, canvas)
    h.save()
    h.setTransform(1, 0, 0, 1, 0, 0)
    // The whole canvas would cost several times as much.
    h.beginPath()
    h.rect(x, y, w, tall)
    h.clip()
    h.clearRect(x, y, w, tall)
    h.setTransform(ratio, 0, 0, ratio, 0, 0)
    const place = (mask: Mask, matrix: Matrix | null) =>
      drawPlaced(h, maskSprite(mask, WHITE), mask, matrix, viewport)
    for (const { handle } of lists[0] ?? []) place(handle, null)
    h.globalCompositeOperation = "destination-out"
    for (const { handle, target, matrix, along } of lists.flat()) {
      if (target) place(target, along)
      else if (isAffine(matrix)) place(handle, matrix)
    }
    h.globalCompositeOperation = "source-in"
    draw(h)
    h.restore()
    if (w <= 0 || tall <= 0) return
    g.save()
    g.setTransform(1, 0, 0, 1, 0, 0)
    g.drawImage(canvas, x, y, w, tall, x, y, w, tall)
    g.restore()
  }
}

/** The pixels of the canvas that the masks can reach: x, y, width, height, nothing where they lie outside. */
function deviceBox(masks: readonly Mask[], viewport: Viewport, ratio: number, canvas: Surface): number[] {
  const all = masks.filter((mask) => !isEmpty(mask))
  const at = (offset: number, v: number) => ratio * (offset + v * viewport.scale)
  const clamp = (v: number, size: number) => Math.min(size, Math.max(0, v))
  const least = (key: "x0" | "y0", offset: number) =>
    Math.floor(at(offset, Math.min(...all.map((m) => m[key]))) - 1)
  const most = (key: "x0" | "y0", side: "w" | "h", offset: number) =>
    Math.ceil(at(offset, Math.max(...all.map((m) => m[key] + m[side]))) + 1)
  const x = clamp(least("x0", viewport.x), canvas.width)
  const y = clamp(least("y0", viewport.y), canvas.height)
  const right = clamp(most("x0", "w", viewport.x), canvas.width)
  return [x, y, right - x, clamp(most("y0", "h", viewport.y), canvas.height) - y]
}

/** Draws the handle's own pixels where the matrix takes them. */
export function paintCarried(
  g: CanvasRenderingContext2D,
  one: Carried,
  picture: Picture,
  viewport: Viewport,
): void {
  const { handle, target, matrix, along } = one
  g.save()
  g.imageSmoothingEnabled = true
  if (isAffine(matrix) && !target) {
    drawPlaced(g, cutout(handle, picture), handle, matrix, viewport)
  } else if (target) {
    drawPlaced(g, gathered(one, picture, target), target, along, viewport)
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
