/** Perspective: the matrix that takes the corners of a region's box to four other points. */
import type { Mask } from "./mask"
import { type Matrix, matrixFrom, multiply, type Point } from "./matrix"
import { warpedCorners } from "./warp"

type Corners = readonly [Point, Point, Point, Point]

/** The matrix that takes the box's corners, clockwise from the upper left, there; null unless they form a convex shape. */
export function perspective(handle: Mask, [a, b, c, d]: Corners): Matrix | null {
  if (!isConvex([a, b, c, d])) return null
  // The unit square to the corners: Heckbert, Fundamentals of Texture Mapping and Image Warping, 1989.
  const sum = { x: a.x - b.x + c.x - d.x, y: a.y - b.y + c.y - d.y }
  const across = { x: b.x - c.x, y: b.y - c.y }
  const down = { x: d.x - c.x, y: d.y - c.y }
  const area = across.x * down.y - across.y * down.x
  const g = (sum.x * down.y - sum.y * down.x) / area
  const h = (across.x * sum.y - across.y * sum.x) / area
  const square: Matrix = [
    b.x - a.x + g * b.x,
    d.x - a.x + h * d.x,
    a.x,
    b.y - a.y + g * b.y,
    d.y - a.y + h * d.y,
    a.y,
    g,
    h,
    1,
  ]
  const { x0, y0, w, h: tall } = handle
  const toSquare: Matrix = [1 / w, 0, (0.5 - x0) / w, 0, 1 / tall, (0.5 - y0) / tall, 0, 0, 1]
  const m = multiply(square, toSquare)
  // A matrix may be scaled; the kernel and the canvas know an affine one by its last row.
  const scaled = m.map((n) => n / (m[8] || 1))
  if (Math.abs(scaled[6] as number) + Math.abs(scaled[7] as number) < 1e-12) scaled.splice(6, 3, 0, 0, 1)
  return matrixFrom(scaled)
}

/** The matrix with one corner of its box (0 to 3, clockwise from the upper left) somewhere else; null if that turns it over. */
export function cornerDragged(handle: Mask, start: Matrix, corner: number, to: Point): Matrix | null {
  const before = warpedCorners(handle, start)
  const after = before.map((p, i) => (i === corner ? to : p)) as unknown as Corners
  const turnsOver = turn(before, 0) * turn(after, 0) <= 0
  return turnsOver ? null : perspective(handle, after)
}

function turn(corners: Corners, i: number): number {
  const at = (n: number) => corners[(i + n) % 4] as Point
  const [p, q, r] = [at(0), at(1), at(2)]
  return (q.x - p.x) * (r.y - q.y) - (q.y - p.y) * (r.x - q.x)
}

/** Whether the corners turn the same way all round, each by something. */
function isConvex(corners: Corners): boolean {
  const turns = [0, 1, 2, 3].map((i) => turn(corners, i))
  const least = 1e-6 * Math.max(...turns.map(Math.abs))
  return turns.every((t) => t > least) || turns.every((t) => t < -least)
}
