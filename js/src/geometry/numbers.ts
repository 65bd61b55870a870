/** A ghost's place as numbers that can be read and typed: movement, scale and angle. */
import type { Mask } from "./mask"
import { type Matrix, multiply, rotationAbout, scaleAbout, translation } from "./matrix"
import { boxCenter } from "./transform"

/** Where a ghost is, as seen from its handle. */
export interface PlaceNumbers {
  /** Movement of the middle in picture pixels, to the right and down. */
  readonly x: number
  readonly y: number
  /** Size in percent: the square root of how the area grows. */
  readonly scale: number
  /** Degrees counter-clockwise, above -180 and up to 180. */
  readonly angle: number
}

const LEAST_SCALE = 1
const MOST_SCALE = 10_000

/** Reads a ghost's numbers; mirrored ghosts have the angle of what is mirrored across. */
export function numbersOf(handle: Mask, matrix: Matrix): PlaceNumbers {
  const from = boxCenter(handle, [1, 0, 0, 0, 1, 0, 0, 0, 1])
  const to = boxCenter(handle, matrix)
  const [a, b, , c, d] = matrix
  const det = a * d - b * c
  const sign = det < 0 ? -1 : 1
  const angle = (-180 / Math.PI) * Math.atan2(sign * c, sign * a)
  return {
    x: to.x - from.x,
    y: to.y - from.y,
    scale: 100 * Math.sqrt(Math.abs(det)),
    // Not -0, and 180 rather than -180.
    angle: angle <= -180 ? 180 : angle + 0,
  }
}

/** The matrix with one of its numbers changed; what it does besides, such as a flip, stays. Unchanged if out of range. */
export function withNumber(handle: Mask, matrix: Matrix, name: keyof PlaceNumbers, value: number): Matrix {
  if (!Number.isFinite(value)) return matrix
  const now = numbersOf(handle, matrix)
  const middle = boxCenter(handle, matrix)
  if (name === "x") return multiply(translation(value - now.x, 0), matrix)
  if (name === "y") return multiply(translation(0, value - now.y), matrix)
  if (name === "angle") {
    return multiply(rotationAbout(((now.angle - value) * Math.PI) / 180, middle), matrix)
  }
  const k = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, value)) / now.scale
  return Number.isFinite(k) ? multiply(scaleAbout(k, k, middle), matrix) : matrix
}
