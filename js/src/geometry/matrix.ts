/** 3x3 matrices, row by row, acting on column vectors (x, y, 1). Pixel centres are at whole numbers. */

/** Nine numbers, row by row. */
export type Matrix = readonly [number, number, number, number, number, number, number, number, number]
/** A point of the plane. */
export interface Point {
  readonly x: number
  readonly y: number
}

/** Leaves every point where it is. */
export const IDENTITY: Matrix = [1, 0, 0, 0, 1, 0, 0, 0, 1]

/** Moves by (dx, dy). */
export function translation(dx: number, dy: number): Matrix {
  return [1, 0, dx, 0, 1, dy, 0, 0, 1]
}

/** The linear map (a b; c d) about a fixed point. */
export function linearAbout(a: number, b: number, c: number, d: number, fixed: Point): Matrix {
  return [a, b, fixed.x - a * fixed.x - b * fixed.y, c, d, fixed.y - c * fixed.x - d * fixed.y, 0, 0, 1]
}

/** Scales about a fixed point. */
export function scaleAbout(sx: number, sy: number, fixed: Point): Matrix {
  return linearAbout(sx, 0, 0, sy, fixed)
}

/** Turns about a fixed point; positive angles turn from x to y. */
export function rotationAbout(radians: number, fixed: Point): Matrix {
  const cos = Math.cos(radians)
  const sin = Math.sin(radians)
  return linearAbout(cos, -sin, sin, cos, fixed)
}

/** `multiply(a, b)` applies b first. */
export function multiply(a: Matrix, b: Matrix): Matrix {
  const out = new Array<number>(9)
  for (let row = 0; row < 3; row++) {
    for (let col = 0; col < 3; col++) {
      let sum = 0
      for (let k = 0; k < 3; k++) sum += (a[row * 3 + k] ?? 0) * (b[k * 3 + col] ?? 0)
      out[row * 3 + col] = sum
    }
  }
  return out as unknown as Matrix
}

/** The determinant. */
export function determinant(m: Matrix): number {
  return (
    m[0] * (m[4] * m[8] - m[5] * m[7]) -
    m[1] * (m[3] * m[8] - m[5] * m[6]) +
    m[2] * (m[3] * m[7] - m[4] * m[6])
  )
}

/** The inverse, or null if the matrix has none. */
export function invert(m: Matrix): Matrix | null {
  const det = determinant(m)
  if (!Number.isFinite(det) || Math.abs(det) < 1e-12) return null
  const k = 1 / det
  return [
    (m[4] * m[8] - m[5] * m[7]) * k,
    (m[2] * m[7] - m[1] * m[8]) * k,
    (m[1] * m[5] - m[2] * m[4]) * k,
    (m[5] * m[6] - m[3] * m[8]) * k,
    (m[0] * m[8] - m[2] * m[6]) * k,
    (m[2] * m[3] - m[0] * m[5]) * k,
    (m[3] * m[7] - m[4] * m[6]) * k,
    (m[1] * m[6] - m[0] * m[7]) * k,
    (m[0] * m[4] - m[1] * m[3]) * k,
  ]
}

/** The point that `m` takes `p` to. */
export function apply(m: Matrix, p: Point): Point {
  const w = m[6] * p.x + m[7] * p.y + m[8]
  return { x: (m[0] * p.x + m[1] * p.y + m[2]) / w, y: (m[3] * p.x + m[4] * p.y + m[5]) / w }
}

/** Whether there is no perspective in the matrix. */
export function isAffine(m: Matrix): boolean {
  return m[6] === 0 && m[7] === 0 && m[8] === 1
}

/** Whether the matrix only moves, up to rounding. */
export function isTranslation(m: Matrix): boolean {
  const near = (value: number, wanted: number) => Math.abs(value - wanted) < 1e-9
  return isAffine(m) && near(m[0], 1) && near(m[1], 0) && near(m[3], 0) && near(m[4], 1)
}

/** Rounds a pure translation to whole pixels, so that a plain drag copies pixels exactly; other matrices stay. */
export function snapTranslation(m: Matrix): Matrix {
  return isTranslation(m) ? translation(Math.round(m[2]), Math.round(m[5])) : m
}

/** The matrix with these nine numbers, flat or by rows; null unless they are finite and it can be inverted. */
export function matrixFrom(value: unknown): Matrix | null {
  if (!Array.isArray(value)) return null
  const flat = (value as unknown[]).flat()
  if (flat.length !== 9 || !flat.every((n) => typeof n === "number" && Number.isFinite(n))) return null
  const m = flat as unknown as Matrix
  return invert(m) ? m : null
}
