/**
 * Turns shapes into pixels. A pixel belongs to a shape if its centre does; centres are at whole numbers.
 *
 * A stroke is the union of the discs under the brush, so that it covers exactly what the ring cursor shows and a tight
 * turn leaves no hole. Libraries for ink outlines smooth strokes instead, and guarantee neither.
 */
import type { Point } from "./matrix"

/** Receives the pixels first..last of row y; both may lie outside the picture. */
export type Span = (y: number, first: number, last: number) => void

/** A disc of a brush; `r` is its radius. */
export interface Dab extends Point {
  readonly r: number
}

/** Fills the convex hull of two discs: one piece of a stroke whose width may change with pressure. */
export function fillCapsule(a: Dab, b: Dab, span: Span): void {
  const quad = tangentQuad(a, b)
  const top = Math.ceil(Math.min(a.y - a.r, b.y - b.r))
  const bottom = Math.floor(Math.max(a.y + a.r, b.y + b.r))
  for (let y = top; y <= bottom; y++) {
    let left = Number.POSITIVE_INFINITY
    let right = Number.NEGATIVE_INFINITY
    for (const disc of [a, b]) {
      const dy = y - disc.y
      const half = disc.r * disc.r - dy * dy
      if (half < 0) continue
      left = Math.min(left, disc.x - Math.sqrt(half))
      right = Math.max(right, disc.x + Math.sqrt(half))
    }
    for (let i = 0; i < quad.length; i++) {
      const p = quad[i] as Point
      const q = quad[(i + 1) % quad.length] as Point
      if (Math.min(p.y, q.y) > y || Math.max(p.y, q.y) < y || p.y === q.y) continue
      const x = p.x + ((y - p.y) / (q.y - p.y)) * (q.x - p.x)
      left = Math.min(left, x)
      right = Math.max(right, x)
    }
    if (left <= right) emit(span, y, left, right)
  }
}

/** Fills a stroke along the dabs; a single dab is a disc. */
export function fillStroke(dabs: readonly Dab[], span: Span): void {
  const first = dabs[0]
  if (first && dabs.length === 1) fillCapsule(first, first, span)
  for (let i = 1; i < dabs.length; i++) fillCapsule(dabs[i - 1] as Dab, dabs[i] as Dab, span)
}

/** Fills the inside of a closed outline by the non-zero rule: loops that cross themselves stay filled. */
export function fillPolygon(points: readonly Point[], span: Span): void {
  if (points.length < 3) return
  const top = Math.ceil(Math.min(...points.map((p) => p.y)))
  const bottom = Math.floor(Math.max(...points.map((p) => p.y)))
  const crossings: { x: number; turn: number }[][] = Array.from(
    { length: Math.max(0, bottom - top + 1) },
    () => [],
  )
  for (let i = 0; i < points.length; i++) {
    const p = points[i] as Point
    const q = points[(i + 1) % points.length] as Point
    if (p.y === q.y) continue
    const turn = p.y < q.y ? 1 : -1
    const low = turn > 0 ? p : q
    const high = turn > 0 ? q : p
    // Half open in y, so that a vertex on a row of centres counts once.
    for (let y = Math.ceil(low.y); y < high.y; y++) {
      const x = low.x + ((y - low.y) / (high.y - low.y)) * (high.x - low.x)
      crossings[y - top]?.push({ x, turn })
    }
  }
  crossings.forEach((row, index) => {
    row.sort((a, b) => a.x - b.x)
    let winding = 0
    for (let i = 0; i < row.length; i++) {
      const here = row[i] as { x: number; turn: number }
      winding += here.turn
      const next = row[i + 1]
      if (winding !== 0 && next) emit(span, index + top, here.x, next.x)
    }
  })
}

/** Fills the pixels from corner to corner, both included. */
export function fillRectangle(a: Point, b: Point, span: Span): void {
  const first = Math.round(Math.min(a.x, b.x))
  const last = Math.round(Math.max(a.x, b.x))
  for (let y = Math.round(Math.min(a.y, b.y)); y <= Math.round(Math.max(a.y, b.y)); y++) span(y, first, last)
}

/** Fills the ellipse that touches the sides of the box spanned by two corners. */
export function fillEllipse(a: Point, b: Point, span: Span): void {
  const cx = (a.x + b.x) / 2
  const cy = (a.y + b.y) / 2
  const rx = Math.abs(b.x - a.x) / 2
  const ry = Math.abs(b.y - a.y) / 2
  if (rx < 0.5 || ry < 0.5) return fillRectangle(a, b, span)
  for (let y = Math.ceil(cy - ry); y <= Math.floor(cy + ry); y++) {
    const rest = 1 - ((y - cy) / ry) ** 2
    if (rest < 0) continue
    emit(span, y, cx - rx * Math.sqrt(rest), cx + rx * Math.sqrt(rest))
  }
}

function emit(span: Span, y: number, left: number, right: number): void {
  // A little slack keeps a centre on the edge inside, despite the rounding of the square root.
  const first = Math.ceil(left - 1e-9)
  const last = Math.floor(right + 1e-9)
  if (first <= last) span(y, first, last)
}

function tangentQuad(a: Dab, b: Dab): Point[] {
  const dx = b.x - a.x
  const dy = b.y - a.y
  const distance = Math.hypot(dx, dy)
  if (distance <= Math.abs(a.r - b.r) || distance === 0) return []
  const along = Math.atan2(dy, dx)
  const spread = Math.acos((a.r - b.r) / distance)
  const at = (disc: Dab, angle: number): Point => ({
    x: disc.x + disc.r * Math.cos(angle),
    y: disc.y + disc.r * Math.sin(angle),
  })
  return [at(a, along + spread), at(b, along + spread), at(b, along - spread), at(a, along - spread)]
}
