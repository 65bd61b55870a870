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

/** The part of the picture that is in view: its first and last column and row. */
export interface View {
  readonly x0: number
  readonly y0: number
  readonly x1: number
  readonly y1: number
}

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

/** Where a grip is now; one that lies out of view is shown at the view's edge, if the ghost is in view at all. */
export function gripPoint(handle: Mask, matrix: Matrix, grip: ScaleGrip, view?: View): Point {
  const p = apply(matrix, onHandle(handle, grip.sx, grip.sy))
  if (!view || !isInView(handle, matrix, view)) return p
  return {
    x: Math.min(view.x1, Math.max(view.x0, p.x)),
    y: Math.min(view.y1, Math.max(view.y0, p.y)),
  }
}

/** Where the middle of the handle's box is now. */
export function boxCenter(handle: Mask, matrix: Matrix): Point {
  return apply(matrix, onHandle(handle, 0, 0))
}

/** The sides that the knob may stand on, the usual one first. */
const KNOB_SIDES: readonly ScaleGrip[] = [
  { kind: "scale", sx: 0, sy: -1 },
  { kind: "scale", sx: 0, sy: 1 },
  { kind: "scale", sx: 1, sy: 0 },
  { kind: "scale", sx: -1, sy: 0 },
]

/** The knob that turns the ghost, and the middle of the side that it stands on. */
export interface Knob {
  readonly at: Point
  readonly foot: Point
}

/**
 * Where the knob is: `reach` picture pixels outside the middle of the ghost's upper edge, or of the first other side
 * where it is in view; over the middle of the ghost if it would be out of view on all sides.
 */
export function knobOf(handle: Mask, matrix: Matrix, reach: number, view?: View): Knob {
  const middle = boxCenter(handle, matrix)
  const knobs = KNOB_SIDES.map(({ sx, sy }): Knob => {
    const foot = apply(matrix, onHandle(handle, sx, sy))
    const length = Math.hypot(foot.x - middle.x, foot.y - middle.y) || 1
    const along = (c: "x" | "y") => foot[c] + ((foot[c] - middle[c]) / length) * reach
    return { foot, at: { x: along("x"), y: along("y") } }
  })
  const usual = knobs[0] as Knob
  if (!view || !isInView(handle, matrix, view)) return usual
  const inView = ({ at: { x, y } }: Knob) => x >= view.x0 && y >= view.y0 && x <= view.x1 && y <= view.y1
  const shown = {
    x: Math.min(view.x1, Math.max(view.x0, middle.x)),
    y: Math.min(view.y1, Math.max(view.y0, middle.y)),
  }
  return knobs.find(inView) ?? { at: { x: shown.x, y: shown.y - reach / 2 }, foot: shown }
}

/** Where the knob that turns the ghost is; see `knobOf`. */
export function rotatePoint(handle: Mask, matrix: Matrix, reach: number, view?: View): Point {
  return knobOf(handle, matrix, reach, view).at
}

function isInView(handle: Mask, matrix: Matrix, view: View): boolean {
  const corners = warpedCorners(handle, matrix)
  const xs = corners.map(({ x }) => x)
  const ys = corners.map(({ y }) => y)
  const across = Math.min(...xs) <= view.x1 && Math.max(...xs) >= view.x0
  return across && Math.min(...ys) <= view.y1 && Math.max(...ys) >= view.y0
}

/** The grip under a point; `slack` is in picture pixels, `reach` as for the rotate knob. */
export function gripAt(
  handle: Mask,
  matrix: Matrix,
  at: Point,
  slack: number,
  reach: number,
  view?: View,
): Grip | null {
  // Inside a small ghost the grips are smaller, so that its middle can still be dragged.
  const room = inBox(handle, matrix, at) ? Math.min(slack, shortestSide(handle, matrix) / 4) : slack
  const near = (p: Point) => Math.hypot(p.x - at.x, p.y - at.y) <= room
  if (near(rotatePoint(handle, matrix, reach, view))) return { kind: "rotate" }
  // In a small box, where they overlap, corners come before sides.
  const corners = SCALE_GRIPS.filter((g) => g.sx !== 0 && g.sy !== 0)
  const sides = SCALE_GRIPS.filter((g) => g.sx === 0 || g.sy === 0)
  for (const grip of [...corners, ...sides]) if (near(gripPoint(handle, matrix, grip, view))) return grip
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
  // The pointer may have taken hold beside the grip, or where one out of view is shown.
  const at = gripPoint(handle, start, grip)
  return scaled(handle, start, grip, { x: at.x + to.x - from.x, y: at.y + to.y - from.y }, keys)
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
