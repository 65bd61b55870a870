/** The brush's cursor: a ring of its true size, visible on any picture. */

import type { Layer } from "../document/pair"
import type { Point } from "../geometry/matrix"
import { css, shade } from "./colors"

/** Draws the ring at a position; all in CSS pixels. */
export function ringCursor(
  g: CanvasRenderingContext2D,
  at: Point,
  radius: number,
  kind: Layer | "eraser",
): void {
  const r = Math.max(1.5, radius)
  g.save()
  for (const [color, width] of [
    ["rgb(0 0 0 / 0.55)", 3],
    [kind === "eraser" ? "#fff" : css(shade(kind, 0)), 1.5],
  ] as const) {
    g.beginPath()
    g.arc(at.x, at.y, r, 0, 2 * Math.PI)
    g.strokeStyle = color
    g.lineWidth = width
    g.stroke()
  }
  // A small ring is hard to find, so a cross marks its middle.
  if (r < 6) {
    g.strokeStyle = "#fff"
    g.lineWidth = 1
    g.beginPath()
    for (const [dx, dy] of [
      [1, 0],
      [-1, 0],
      [0, 1],
      [0, -1],
    ] as const) {
      g.moveTo(at.x + dx * (r + 3), at.y + dy * (r + 3))
      g.lineTo(at.x + dx * (r + 7), at.y + dy * (r + 7))
    }
    g.stroke()
  }
  g.restore()
}
