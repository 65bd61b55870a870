/** Moving, scaling, turning and flipping a ghost: which grip is under the pointer, and what dragging it does. */
import { centroid, type Mask } from "./mask"
import {
  apply,
  invert,
  type Matrix,
  multiply,
  type Point,
  rotationAbout,
  scaleAbout,
  translation,
} from "./matrix"
import { warpedCorners } from "./warp"

/** A grip that scales: -1, 0, 1 for left/top, middle, right/bottom of the handle's box. */
export interface ScaleGrip {
  readonly kind: "scale"
  readonly sx: -1 | 0 | 1
  readonly sy: -1 | 0 | 1
}
/** What a drag takes hold of. */
export type Grip = ScaleGrip | { readonly kind: "rotate" } | { readonly kind: "move" }

/** Keys held during a drag: Shift keeps it straight or even, Alt scales about the middle. */
export interface Modifiers {
  readonly shift: boolean
  readonly alt: boolean
}

const SIDES = [-1, 0, 1] as const
/** The eight grips round the box. */
export const SCALE_GRIPS: readonly ScaleGrip[] = SIDES.flatMap((sy) =>
  SIDES.filter((sx) => sx !== 0 || sy !== 0).map((sx) => ({ kind: "scale", sx, sy }) as const),
)

/** A grip's place on the handle, before the matrix. */
function onHandle(handle: Mask, sx: number, sy: number): Point {
  return {
    x: handle.x0 - 0.5 + (handle.w * (sx + 1)) / 2,
    y: handle.y0 - 0.5 + (handle.h * (sy + 1)) / 2,
  }
}

/** Where a grip is now. */
export function gripPoint(handle: Mask, matrix: Matrix, grip: ScaleGrip): Point {
  return apply(matrix, onHandle(handle, grip.sx, grip.sy))
}

/** Where the middle of the handle's box is now. */
export function boxCenter(handle: Mask, matrix: Matrix): Point {
  return apply(matrix, onHandle(handle, 0, 0))
}

/** The knob that turns the ghost: `reach` picture pixels outside the middle of its upper edge. */
export function rotatePoint(handle: Mask, matrix: Matrix, reach: number): Point {
  const top = apply(matrix, onHandle(handle, 0, -1))
  const middle = boxCenter(handle, matrix)
  const length = Math.hypot(top.x - middle.x, top.y - middle.y) || 1
  return {
    x: top.x + ((top.x - middle.x) / length) * reach,
    y: top.y + ((top.y - middle.y) / length) * reach,
  }
}

/** The grip under a point; `slack` is in picture pixels, `reach` as for the rotate knob. */
export function gripAt(handle: Mask, matrix: Matrix, at: Point, slack: number, reach: number): Grip | null {
  // Inside a small ghost the grips are smaller, so that its middle can still be dragged.
  const room = inBox(handle, matrix, at) ? Math.min(slack, shortestSide(handle, matrix) / 4) : slack
  const near = (p: Point) => Math.hypot(p.x - at.x, p.y - at.y) <= room
  if (near(rotatePoint(handle, matrix, reach))) return { kind: "rotate" }
  // In a small box, where they overlap, corners come before sides.
  const corners = SCALE_GRIPS.filter((g) => g.sx !== 0 && g.sy !== 0)
  const sides = SCALE_GRIPS.filter((g) => g.sx === 0 || g.sy === 0)
  for (const grip of [...corners, ...sides]) if (near(gripPoint(handle, matrix, grip))) return grip
  return null
}

function shortestSide(handle: Mask, matrix: Matrix): number {
  const [a, b, , d] = warpedCorners(handle, matrix)
  return Math.min(Math.hypot(b.x - a.x, b.y - a.y), Math.hypot(d.x - a.x, d.y - a.y))
}

/** Whether a point lies in the ghost's box. */
export function inBox(handle: Mask, matrix: Matrix, at: Point): boolean {
  const corners = warpedCorners(handle, matrix)
  let turn = 0
  for (let i = 0; i < 4; i++) {
    const a = corners[i] as Point
    const b = corners[(i + 1) % 4] as Point
    const side = Math.sign((b.x - a.x) * (at.y - a.y) - (b.y - a.y) * (at.x - a.x))
    if (side !== 0 && turn !== 0 && side !== turn) return false
    if (side !== 0) turn = side
  }
  return true
}

/** The ghost's matrix while a grip is dragged from `from` to `to`, beginning at `start`. */
export function dragged(
  handle: Mask,
  start: Matrix,
  grip: Grip,
  from: Point,
  to: Point,
  keys: Modifiers,
): Matrix {
  if (grip.kind === "move") return movedBy(start, to.x - from.x, to.y - from.y, keys.shift)
  if (grip.kind === "rotate") return turned(handle, start, from, to, keys.shift)
  return scaled(handle, start, grip, to, keys)
}

function movedBy(start: Matrix, dx: number, dy: number, straight: boolean): Matrix {
  const alongX = Math.abs(dx) >= Math.abs(dy)
  const x = straight && !alongX ? 0 : Math.round(dx)
  const y = straight && alongX ? 0 : Math.round(dy)
  return multiply(translation(x, y), start)
}

function turned(handle: Mask, start: Matrix, from: Point, to: Point, snap: boolean): Matrix {
  const middle = boxCenter(handle, start)
  let angle = Math.atan2(to.y - middle.y, to.x - middle.x) - Math.atan2(from.y - middle.y, from.x - middle.x)
  const step = Math.PI / 12
  if (snap) angle = Math.round(angle / step) * step
  return multiply(rotationAbout(angle, middle), start)
}

function scaled(handle: Mask, start: Matrix, grip: ScaleGrip, to: Point, keys: Modifiers): Matrix {
  const back = invert(start)
  if (!back) return start
  const pointer = apply(back, to)
  const grabbed = onHandle(handle, grip.sx, grip.sy)
  const fixed = keys.alt ? onHandle(handle, 0, 0) : onHandle(handle, -grip.sx, -grip.sy)
  const ratio = (p: number, f: number, g: number) => (g === f ? 1 : (p - f) / (g - f))
  let sx = grip.sx === 0 ? 1 : ratio(pointer.x, fixed.x, grabbed.x)
  let sy = grip.sy === 0 ? 1 : ratio(pointer.y, fixed.y, grabbed.y)
  if (keys.shift) {
    const both = grip.sx === 0 ? sy : grip.sy === 0 ? sx : alongDiagonal(pointer, fixed, grabbed)
    sx = both
    sy = both
  }
  return multiply(start, scaleAbout(sane(sx, handle.w), sane(sy, handle.h), fixed))
}

function alongDiagonal(p: Point, f: Point, g: Point): number {
  const dx = g.x - f.x
  const dy = g.y - f.y
  return ((p.x - f.x) * dx + (p.y - f.y) * dy) / (dx * dx + dy * dy)
}

/** Keeps a scale between a pixel and a hundredfold; the sign, which flips, stays. */
function sane(scale: number, size: number): number {
  const least = 1 / Math.max(1, size)
  const magnitude = Math.min(100, Math.max(least, Math.abs(scale)))
  return scale < 0 ? -magnitude : magnitude
}

/** Mirrors the ghost about its own middle. */
export function flipped(handle: Mask, matrix: Matrix, across: "x" | "y"): Matrix {
  const middle = onHandle(handle, 0, 0)
  return multiply(matrix, scaleAbout(across === "x" ? -1 : 1, across === "y" ? -1 : 1, middle))
}

/** Keeps a matrix's turn and scale but puts the ghost back on its handle: where a new drag begins. */
export function broughtHome(handle: Mask, matrix: Matrix): Matrix {
  const middle = centroid(handle) ?? onHandle(handle, 0, 0)
  const now = apply(matrix, middle)
  return multiply(translation(Math.round(middle.x - now.x), Math.round(middle.y - now.y)), matrix)
}
