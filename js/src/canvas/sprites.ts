/** Masks as a canvas can draw them: a tinted image and an outline, each made once per mask. */
import { eachRun, type Mask, type MaskBuffer } from "../geometry/mask"
import { once } from "../geometry/once"
import type { Rgb } from "./colors"

/** An image to draw from. */
export type Surface = HTMLCanvasElement

/** A new canvas with its context; at least a pixel each way. */
export function surface(width: number, height: number): [Surface, CanvasRenderingContext2D] {
  const canvas = document.createElement("canvas")
  canvas.width = Math.max(1, width)
  canvas.height = Math.max(1, height)
  return [canvas, canvas.getContext("2d") as CanvasRenderingContext2D]
}

/** The mask's bounding box as an image of one opaque colour, transparent where the mask is not set. */
export const maskSprite = once((mask: Mask, rgb: Rgb): Surface => {
  const [canvas, g] = surface(mask.w, mask.h)
  const image = g.createImageData(canvas.width, canvas.height)
  const pixels = new Uint32Array(image.data.buffer)
  const word = packed(rgb)
  eachRun(mask, (y, first, last) => {
    const row = (y - mask.y0) * canvas.width - mask.x0
    pixels.fill(word, row + first, row + last + 1)
  })
  g.putImageData(image, 0, 0)
  return canvas
})

/** The mask's border along pixel edges, in canvas coordinates of the picture (a pixel spans x to x + 1). */
export const maskOutline = once((mask: Mask): Path2D => {
  const path = new Path2D()
  const rows: [number, number][][] = Array.from({ length: mask.h + 2 }, () => [])
  eachRun(mask, (y, first, last) => rows[y - mask.y0 + 1]?.push([first, last + 1]))
  for (let i = 1; i < rows.length; i++) {
    const above = rows[i - 1] as [number, number][]
    const here = rows[i] as [number, number][]
    const y = mask.y0 + i - 1
    for (const [a, b] of symmetricDifference(above, here)) {
      path.moveTo(a, y)
      path.lineTo(b, y)
    }
    for (const [a, b] of here) {
      path.moveTo(a, y)
      path.lineTo(a, y + 1)
      path.moveTo(b, y)
      path.lineTo(b, y + 1)
    }
  }
  return path
})

/** An image of the mask being painted, updated rectangle by rectangle. */
export class StrokeSprite {
  readonly canvas: Surface
  private readonly g: CanvasRenderingContext2D
  private started = false

  constructor(
    readonly buffer: MaskBuffer,
    private readonly rgb: Rgb,
  ) {
    ;[this.canvas, this.g] = surface(buffer.width, buffer.height)
  }

  /** Draws what has changed since the last call. */
  update(): void {
    const dirty = this.buffer.takeDirty()
    const box = this.started ? dirty : this.buffer.extent
    this.started = true
    if (!box) return
    const w = box.x1 - box.x0
    const image = this.g.createImageData(w, box.y1 - box.y0)
    const pixels = new Uint32Array(image.data.buffer)
    const word = packed(this.rgb)
    for (let y = box.y0; y < box.y1; y++) {
      const from = y * this.buffer.width
      for (let x = box.x0; x < box.x1; x++) {
        if (this.buffer.data[from + x]) pixels[(y - box.y0) * w + x - box.x0] = word
      }
    }
    this.g.putImageData(image, box.x0, box.y0)
  }
}

/** Runs that are set in only one of two rows: where the border runs between the rows. */
function symmetricDifference(a: [number, number][], b: [number, number][]): [number, number][] {
  const ends = [...a.flat(), ...b.flat()].sort((p, q) => p - q)
  const out: [number, number][] = []
  for (let i = 0; i + 1 < ends.length; i += 2) {
    const from = ends[i] as number
    const to = ends[i + 1] as number
    if (to > from) out.push([from, to])
  }
  return out
}

function packed([r, g, b]: Rgb): number {
  // Browsers run on little-endian machines: alpha is the top byte.
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0
}
