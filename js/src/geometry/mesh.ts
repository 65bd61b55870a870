/**
 * A mesh of triangles over a region and where it goes; the map is linear in each triangle. The kernel fills the same
 * triangles (`regiondrag_widget/regions/mesh.py`).
 */
import { emptyMask, has, type Mask, stride } from "./mask"
import type { Matrix, Point } from "./matrix"

/** Cells of columns x rows; `source` and `target` hold x, y of the (columns + 1) * (rows + 1) vertices, row by row. */
export interface Mesh {
  readonly columns: number
  readonly rows: number
  readonly source: Float64Array
  readonly target: Float64Array
}

/** Pixels of the handle in a cell, and cells a side at most. */
const CELL = 2
const MOST_CELLS = 64
/** By how much a pixel's centre may lie beyond a triangle's side, against gaps from rounding. */
const EDGE = 1e-7

/** A mesh over a mask's bounding box; `place` moves its vertices, x, y one after the other. */
export function meshOver(mask: Mask, place: (source: Float64Array) => Float64Array): Mesh {
  const columns = Math.min(MOST_CELLS, Math.ceil(mask.w / CELL))
  const rows = Math.min(MOST_CELLS, Math.ceil(mask.h / CELL))
  const source = new Float64Array(2 * (columns + 1) * (rows + 1))
  let at = 0
  for (let row = 0; row <= rows; row++) {
    for (let column = 0; column <= columns; column++) {
      source[at++] = mask.x0 - 0.5 + (mask.w * column) / columns
      source[at++] = mask.y0 - 0.5 + (mask.h * row) / rows
    }
  }
  return { columns, rows, source, target: place(source) }
}

/** Points taken along by a matrix, x, y one after the other. */
export function applyAll(m: Matrix, points: Float64Array): Float64Array {
  const moved = new Float64Array(points.length)
  for (let i = 0; i < points.length; i += 2) {
    const x = points[i] as number
    const y = points[i + 1] as number
    const w = m[6] * x + m[7] * y + m[8]
    moved[i] = (m[0] * x + m[1] * y + m[2]) / w
    moved[i + 1] = (m[3] * x + m[4] * y + m[5]) / w
  }
  return moved
}

/** Three vertices, as indices. */
export type Corners = readonly [number, number, number]

/** The vertices of both triangles of a cell, as indices into the vertices. */
export function triangles(mesh: Mesh, column: number, row: number): readonly [Corners, Corners] {
  const a = row * (mesh.columns + 1) + column
  const d = a + mesh.columns + 1
  return [
    [a, a + 1, d + 1],
    [a, d + 1, d],
  ]
}

/** Pixels on a grid of `step` picture pixels: those at x0 + i * step, y0 + j * step, and where each comes from. */
export interface Gathered {
  readonly x0: number
  readonly y0: number
  readonly step: number
  readonly w: number
  readonly h: number
  /** Source x, y of each; NaN where no triangle arrives. */
  readonly source: Float32Array
}

/** A grid of every `step`-th pixel of a picture, over what a mesh reaches. */
type Grid = Omit<Gathered, "source">

/** Where the pixels of a picture come from that the mesh reaches; every `step`-th of them each way. */
export function gather(mesh: Mesh, width: number, height: number, step = 1): Gathered {
  const grid = gridOver(mesh, width, height, step)
  const source = new Float32Array(2 * grid.w * grid.h).fill(Number.NaN)
  fill(mesh, grid, (at, x, y) => {
    source[2 * at] = x
    source[2 * at + 1] = y
  })
  return { ...grid, source }
}

function gridOver({ target }: Mesh, width: number, height: number, step: number): Grid {
  let left = Number.POSITIVE_INFINITY
  let top = Number.POSITIVE_INFINITY
  let right = Number.NEGATIVE_INFINITY
  let bottom = Number.NEGATIVE_INFINITY
  for (let i = 0; i < target.length; i += 2) {
    left = Math.min(left, target[i] as number)
    right = Math.max(right, target[i] as number)
    top = Math.min(top, target[i + 1] as number)
    bottom = Math.max(bottom, target[i + 1] as number)
  }
  const x0 = Math.max(0, Math.ceil(left))
  const y0 = Math.max(0, Math.ceil(top))
  const w = Math.max(0, Math.floor((Math.min(width - 1, right) - x0) / step) + 1)
  const h = Math.max(0, Math.floor((Math.min(height - 1, bottom) - y0) / step) + 1)
  return { x0, y0, step, w, h }
}

/** Calls `visit` with every point of the grid that a triangle reaches, and the source x, y of it. */
function fill(mesh: Mesh, grid: Grid, visit: (at: number, x: number, y: number) => void): void {
  const below = mesh.columns + 1
  for (let row = 0; row < mesh.rows; row++) {
    for (let column = 0; column < mesh.columns; column++) {
      const a = row * below + column
      fillTriangle(mesh, grid, a, a + 1, a + below + 1, visit)
      fillTriangle(mesh, grid, a, a + below + 1, a + below, visit)
    }
  }
}

function fillTriangle(
  mesh: Mesh,
  { x0, y0, step, w, h }: Grid,
  i: number,
  j: number,
  k: number,
  visit: (at: number, x: number, y: number) => void,
): void {
  const t = mesh.target
  const s = mesh.source
  const ax = t[2 * i] as number
  const ay = t[2 * i + 1] as number
  const bx = (t[2 * j] as number) - ax
  const by = (t[2 * j + 1] as number) - ay
  const cx = (t[2 * k] as number) - ax
  const cy = (t[2 * k + 1] as number) - ay
  const area = bx * cy - by * cx
  if (!(Math.abs(area) > 1e-12)) return
  const firstRow = Math.max(0, Math.ceil((ay + Math.min(0, by, cy) - y0) / step))
  const lastRow = Math.min(h - 1, Math.floor((ay + Math.max(0, by, cy) - y0) / step))
  const first = Math.max(0, Math.ceil((ax + Math.min(0, bx, cx) - x0) / step))
  const last = Math.min(w - 1, Math.floor((ax + Math.max(0, bx, cx) - x0) / step))
  if (firstRow > lastRow || first > last) return
  const px = s[2 * i] as number
  const py = s[2 * i + 1] as number
  const qx = (s[2 * j] as number) - px
  const qy = (s[2 * j + 1] as number) - py
  const rx = (s[2 * k] as number) - px
  const ry = (s[2 * k + 1] as number) - py
  for (let row = firstRow; row <= lastRow; row++) {
    const dy = y0 + row * step - ay
    for (let column = first; column <= last; column++) {
      const dx = x0 + column * step - ax
      const b = (dx * cy - dy * cx) / area
      const c = (bx * dy - by * dx) / area
      if (b < -EDGE || c < -EDGE || b + c > 1 + EDGE) continue
      visit(row * w + column, px + b * qx + c * rx, py + b * qy + c * ry)
    }
  }
}

/** Masks above this many pixels are worked out on a coarser grid while they are dragged. */
const FINE = 150_000

/** The pixels that come from a pixel of the mask; `coarse` allows blocks instead of pixels where it is large. */
export function warpByMesh(mask: Mask, mesh: Mesh, coarse = false): Mask {
  const { width, height } = mask
  let grid = gridOver(mesh, width, height, 1)
  const step = coarse ? Math.ceil(Math.sqrt((grid.w * grid.h) / FINE)) : 1
  if (step > 1) grid = gridOver(mesh, width, height, step)
  const set = new Uint8Array(grid.w * grid.h)
  fill(mesh, grid, (at, x, y) => {
    // The last triangle to arrive decides.
    set[at] = has(mask, Math.floor(x + 0.5), Math.floor(y + 0.5)) ? 1 : 0
  })
  let [x0, x1, y0, y1] = [grid.w, 0, grid.h, 0]
  for (let row = 0; row < grid.h; row++) {
    const line = set.subarray(row * grid.w, (row + 1) * grid.w)
    const first = line.indexOf(1)
    if (first < 0) continue
    x0 = Math.min(x0, first)
    x1 = Math.max(x1, line.lastIndexOf(1) + 1)
    y0 = Math.min(y0, row)
    y1 = row + 1
  }
  if (x1 <= x0) return emptyMask(width, height)
  const left = grid.x0 + x0 * grid.step
  const top = grid.y0 + y0 * grid.step
  const w = Math.min(width - left, (x1 - x0) * grid.step)
  const h = Math.min(height - top, (y1 - y0) * grid.step)
  const bytes = stride(w)
  const bits = new Uint8Array(bytes * h)
  for (let y = 0; y < h; y++) {
    const at = y * bytes
    if (y % grid.step > 0) {
      bits.copyWithin(at, at - bytes, at)
      continue
    }
    const from = (y0 + y / grid.step) * grid.w + x0
    for (let x = 0; x < w; x++) {
      const one = grid.step === 1 ? x : Math.floor(x / grid.step)
      if (set[from + one]) bits[at + (x >> 3)] = (bits[at + (x >> 3)] as number) | (128 >> (x & 7))
    }
  }
  return { width, height, x0: left, y0: top, w, h, bits }
}

/** The triangle that a point of the source lies in, and the point's barycentric coordinates. */
export function triangleAt(mesh: Mesh, p: Point): { corners: Corners; shares: Corners } {
  const { columns, rows, source } = mesh
  const end = source.length - 2
  const u = ((p.x - (source[0] as number)) / ((source[end] as number) - (source[0] as number))) * columns
  const v = ((p.y - (source[1] as number)) / ((source[end + 1] as number) - (source[1] as number))) * rows
  const column = Math.min(columns - 1, Math.max(0, Math.floor(u)))
  const row = Math.min(rows - 1, Math.max(0, Math.floor(v)))
  const [sx, sy] = [u - column, v - row]
  const [upper, lower] = triangles(mesh, column, row)
  return sx >= sy
    ? { corners: upper, shares: [1 - sx, sx - sy, sy] }
    : { corners: lower, shares: [1 - sy, sx, sy - sx] }
}

/** Where a point of the source goes; one outside the mesh goes on as the nearest cell. */
export function toTarget(mesh: Mesh, p: Point): Point {
  const { corners, shares } = triangleAt(mesh, p)
  const mix = (o: 0 | 1) =>
    corners.reduce(
      (sum, corner, i) => sum + (shares[i] as number) * (mesh.target[2 * corner + o] as number),
      0,
    )
  return { x: mix(0), y: mix(1) }
}

/** Where a point of the target comes from; null where no triangle arrives. */
export function toSource(mesh: Mesh, p: Point): Point | null {
  const { source, target } = mesh
  for (let row = mesh.rows - 1; row >= 0; row--) {
    for (let column = mesh.columns - 1; column >= 0; column--) {
      for (const [i, j, k] of triangles(mesh, column, row)) {
        const [ax, ay] = [target[2 * i] as number, target[2 * i + 1] as number]
        const [bx, by] = [(target[2 * j] as number) - ax, (target[2 * j + 1] as number) - ay]
        const [cx, cy] = [(target[2 * k] as number) - ax, (target[2 * k + 1] as number) - ay]
        const area = bx * cy - by * cx
        const b = ((p.x - ax) * cy - (p.y - ay) * cx) / area
        const c = (bx * (p.y - ay) - by * (p.x - ax)) / area
        if (!(b >= -EDGE && c >= -EDGE && b + c <= 1 + EDGE)) continue
        const mix = (o: 0 | 1) => {
          const s = source[2 * i + o] as number
          return s + b * ((source[2 * j + o] as number) - s) + c * ((source[2 * k + o] as number) - s)
        }
        return { x: mix(0), y: mix(1) }
      }
    }
  }
  return null
}
