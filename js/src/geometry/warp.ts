/** Masks carried by a matrix, as the kernel will carry the pixels. */

import { type Box, emptyMask, has, isEmpty, type Mask, MaskBuffer, shifted } from "./mask"
import { apply, IDENTITY, invert, isTranslation, type Matrix, type Point } from "./matrix"

/** The pixels whose centre, taken back by the matrix, falls on a pixel of the handle (nearest neighbour). */
export function warpMask(handle: Mask, matrix: Matrix): Mask {
  const back = invert(matrix)
  if (isEmpty(handle) || !back) return emptyMask(handle.width, handle.height)
  if (isTranslation(matrix) && Number.isInteger(matrix[2]) && Number.isInteger(matrix[5])) {
    return shifted(handle, matrix[2], matrix[5])
  }
  const box = warpedBox(handle, matrix)
  const buffer = new MaskBuffer(handle.width, handle.height)
  for (let y = box.y0; y < box.y1; y++) {
    let start = -1
    for (let x = box.x0; x <= box.x1; x++) {
      const p = x < box.x1 ? apply(back, { x, y }) : null
      const inside = p !== null && has(handle, Math.floor(p.x + 0.5), Math.floor(p.y + 0.5))
      if (inside && start < 0) start = x
      if (!inside && start >= 0) {
        buffer.span(y, start, x - 1)
        start = -1
      }
    }
  }
  return buffer.toMask()
}

/** The corners of the handle's bounding box (its pixels' outer edges) carried by the matrix. */
export function warpedCorners(handle: Mask, matrix: Matrix): [Point, Point, Point, Point] {
  const left = handle.x0 - 0.5
  const top = handle.y0 - 0.5
  const right = left + handle.w
  const bottom = top + handle.h
  return [
    apply(matrix, { x: left, y: top }),
    apply(matrix, { x: right, y: top }),
    apply(matrix, { x: right, y: bottom }),
    apply(matrix, { x: left, y: bottom }),
  ]
}

function warpedBox(handle: Mask, matrix: Matrix): Box {
  const whole = { x0: 0, y0: 0, x1: handle.width, y1: handle.height }
  const corners = warpedCorners(handle, IDENTITY)
  // If a projective map sends part of the box past the horizon, its corners are no bounds.
  const weights = corners.map((p) => matrix[6] * p.x + matrix[7] * p.y + matrix[8])
  if (weights.some((w) => w * (weights[0] ?? 1) <= 1e-9)) return whole
  const moved = corners.map((p) => apply(matrix, p))
  const xs = moved.map((p) => p.x)
  const ys = moved.map((p) => p.y)
  return {
    x0: Math.max(0, Math.floor(Math.min(...xs))),
    y0: Math.max(0, Math.floor(Math.min(...ys))),
    x1: Math.min(handle.width, Math.ceil(Math.max(...xs)) + 1),
    y1: Math.min(handle.height, Math.ceil(Math.max(...ys)) + 1),
  }
}
