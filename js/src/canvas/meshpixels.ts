/** Pixels taken along by a mesh, at the resolution of the screen. */
import type { Mask } from "../geometry/mask"
import type { Matrix } from "../geometry/matrix"
import { type Gathered, gather, type Mesh } from "../geometry/mesh"
import { once } from "../geometry/once"
import type { Viewport } from "../geometry/viewport"
import { canvasMatrix, drawMask, WHITE } from "./placing"
import { type Surface, surface } from "./sprites"

/** What is carried by a mesh: the pixels of a mask's box, and what limits where they land. */
export interface MeshPixels {
  readonly pixels: Surface
  readonly mask: Mask
  readonly target: Mask | null
  readonly along: Matrix | null
  readonly mesh: Mesh
}

const made = new WeakMap<Mesh, { pixels: Surface; step: number; canvas: Surface; found: Gathered }>()

/** Draws the pixels where the mesh takes them; `ratio` is device pixels per CSS pixel. */
export function paintThroughMesh(
  g: CanvasRenderingContext2D,
  one: MeshPixels,
  viewport: Viewport,
  ratio: number,
): void {
  const { mask, mesh } = one
  // More pixels than the screen has would not be seen.
  const step = Math.max(1, Math.floor(1 / (viewport.scale * ratio)))
  const known = made.get(mesh)
  const fresh = known?.pixels === one.pixels && known.step === step ? known : null
  const { canvas, found } = fresh ?? warped(one, step, mask.width, mask.height)
  if (!fresh) made.set(mesh, { pixels: one.pixels, step, canvas, found })
  if (found.w === 0 || found.h === 0) return
  const { a, b, c, d, e, f } = canvasMatrix(one.along, viewport)
  g.save()
  g.transform(a, b, c, d, e, f)
  // A sample stands for the pixels around it, of which it is the first when there is one.
  const left = found.x0 + 0.5 - step / 2
  const top = found.y0 + 0.5 - step / 2
  g.drawImage(canvas, left, top, found.w * step, found.h * step)
  g.restore()
}

function warped({ pixels, mask, target, mesh }: MeshPixels, step: number, width: number, height: number) {
  const found = gather(mesh, width, height, step)
  const from = wordsOf(pixels)
  const [canvas, g] = surface(found.w, found.h)
  const image = g.createImageData(canvas.width, canvas.height)
  const into = new Uint32Array(image.data.buffer)
  for (let i = 0; i < found.w * found.h; i++) {
    const x = found.source[2 * i] as number
    if (!Number.isNaN(x)) into[i] = sample(from, mask, x, found.source[2 * i + 1] as number)
  }
  g.putImageData(image, 0, 0)
  if (target) {
    g.globalCompositeOperation = "destination-in"
    const offset = (first: number) => 0.5 - (first + 0.5) / step
    const placed = { scale: 1 / step, x: offset(found.x0), y: offset(found.y0) }
    drawMask(g, target, WHITE, null, placed)
  }
  return { canvas, found }
}

const wordsOf = once((pixels: Surface): Uint32Array => {
  const g = pixels.getContext("2d") as CanvasRenderingContext2D
  return new Uint32Array(g.getImageData(0, 0, pixels.width, pixels.height).data.buffer)
})

/** The colour at a point of the picture, between the four pixels around it; beyond the mask's box transparent. */
function sample(from: Uint32Array, mask: Mask, px: number, py: number): number {
  const x = px - mask.x0
  const y = py - mask.y0
  const x0 = Math.floor(x)
  const y0 = Math.floor(y)
  if (x0 < -1 || y0 < -1 || x0 >= mask.w || y0 >= mask.h) return 0
  let [red, green, blue, alpha] = [0, 0, 0, 0]
  for (let dy = 0; dy < 2; dy++) {
    for (let dx = 0; dx < 2; dx++) {
      const [cx, cy] = [x0 + dx, y0 + dy]
      if (cx < 0 || cy < 0 || cx >= mask.w || cy >= mask.h) continue
      const word = from[cy * mask.w + cx] as number
      const weight = (dx ? x - x0 : 1 - x + x0) * (dy ? y - y0 : 1 - y + y0) * (word >>> 24)
      red += weight * (word & 255)
      green += weight * ((word >> 8) & 255)
      blue += weight * ((word >> 16) & 255)
      alpha += weight
    }
  }
  if (alpha < 0.5) return 0
  const part = (sum: number) => Math.round(sum / alpha)
  return ((Math.round(alpha) << 24) | (part(blue) << 16) | (part(green) << 8) | part(red)) >>> 0
}
