/** The vacated places during a drag: hatched, or filled with what the newest draft has put in them. */
import type { Carried } from "../document/placement"
import { isEmpty, type Mask } from "../geometry/mask"
import type { Matrix } from "../geometry/matrix"
import type { Viewport } from "../geometry/viewport"
import type { Draft } from "../model/drafts"
import { arrival } from "./carriedline"
import { drawMask, WHITE } from "./placing"
import { type Surface, surface } from "./sprites"

/** Marks the places of what is carried, except where a target lies: what the edit has to fill. */
export class VacatedPainter {
  private layer: [Surface, CanvasRenderingContext2D] | null = null

  /**
   * Hatches them; what a draft has filled already is shown filled, except where the draft's own targets lie. `g` has
   * one unit per CSS pixel; `ratio` is device pixels per CSS pixel.
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

  /** Draws inside what the first list carries and outside the targets of all. */
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
    const left = (lists[0] ?? []).filter(({ copied }) => !copied)
    const masks = left.map(({ mask }) => mask)
    const [x, y, w, tall] = deviceBox(masks, viewport, ratio, canvas)
    h.save()
    h.setTransform(1, 0, 0, 1, 0, 0)
    // Working on the whole canvas would take several times as long.
    h.beginPath()
    h.rect(x, y, w, tall)
    h.clip()
    h.clearRect(x, y, w, tall)
    h.setTransform(ratio, 0, 0, ratio, 0, 0)
    const place = (mask: Mask, matrix: Matrix | null) => drawMask(h, mask, WHITE, matrix, viewport)
    for (const { mask } of left) place(mask, null)
    h.globalCompositeOperation = "destination-out"
    for (const one of lists.flat()) {
      const there = one.target ? { mask: one.target, matrix: one.along } : arrival(one)
      place(there.mask, there.matrix)
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

/** The pixels of the canvas that the masks can reach, as x, y, width, height; of no size if they lie outside. */
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
