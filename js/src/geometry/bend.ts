/**
 * Bending by pins: each goes where it is pulled, or holds, and the rest bends as rigidly as possible. The twin of
 * `regiondrag_widget/regions/bend.py`; `tests/golden/bends.json` holds both to the same map.
 */
import { eachRun, type Mask } from "./mask"
import { apply, type Matrix, type Point } from "./matrix"
import { applyAll, type Mesh, meshOver, toTarget, triangleAt } from "./mesh"

/** A pin: a point of the handle, and where it goes. */
export interface Pin extends Point {
  readonly toX: number
  readonly toY: number
}

/** Pins of one pair at most. */
export const MAX_PINS = 64
/** Share of a triangle's area before the bending below which it counts as folded; the kernel allows a little more. */
const LEAST_STRETCH = 0.07
/** Pixels by which the mesh may miss a pin. */
const HELD = 0.9
/** Rounds of moving the mesh onto the pins. */
const ROUNDS = 8
/** Pixels two pins must be apart. */
const APART = 1.5
/** Square pixels: keeps a pin's own weight finite. */
const NEAR = 1e-6

/**
 * Where points go, x, y one after the other, of a region that a matrix moves and pins bend: rigid moving least squares
 * (Schaefer, McPhail, Warren: Image Deformation Using Moving Least Squares, 2006).
 */
export function bentBy(matrix: Matrix, pins: readonly Pin[], points: Float64Array): Float64Array {
  const moved = applyAll(matrix, points)
  const rest = applyAll(matrix, Float64Array.from(pins.flatMap(({ x, y }) => [x, y])))
  const goals = Float64Array.from(pins.flatMap(({ toX, toY }) => [toX, toY]))
  const shares = new Float64Array(pins.length)
  for (let i = 0; i < moved.length; i += 2) {
    const x = moved[i] as number
    const y = moved[i + 1] as number
    let whole = 0
    for (let k = 0; k < shares.length; k++) {
      const weight = 1 / ((x - (rest[2 * k] as number)) ** 2 + (y - (rest[2 * k + 1] as number)) ** 2 + NEAR)
      shares[k] = weight
      whole += weight
    }
    let [mx, my, gx, gy] = [0, 0, 0, 0]
    for (let k = 0; k < shares.length; k++) {
      const share = (shares[k] as number) / whole
      shares[k] = share
      mx += share * (rest[2 * k] as number)
      my += share * (rest[2 * k + 1] as number)
      gx += share * (goals[2 * k] as number)
      gy += share * (goals[2 * k + 1] as number)
    }
    let [cos, sin] = [0, 0]
    for (let k = 0; k < shares.length; k++) {
      const share = shares[k] as number
      const ux = (rest[2 * k] as number) - mx
      const uy = (rest[2 * k + 1] as number) - my
      const vx = (goals[2 * k] as number) - gx
      const vy = (goals[2 * k + 1] as number) - gy
      cos += share * (ux * vx + uy * vy)
      sin += share * (ux * vy - uy * vx)
    }
    const size = Math.hypot(cos, sin)
    const c = size > 1e-12 ? cos / size : 1
    const s = size > 1e-12 ? sin / size : 0
    moved[i] = gx + (x - mx) * c - (y - my) * s
    moved[i + 1] = gy + (x - mx) * s + (y - my) * c
  }
  return moved
}

/** The map is sharply curved at a pin: there the mesh is moved by what it misses. */
function bentMesh(handle: Mask, matrix: Matrix, pins: readonly Pin[]): Mesh {
  const mesh = meshOver(handle, (points) => bentBy(matrix, pins, points))
  const { target } = mesh
  for (let round = 0; round < ROUNDS; round++) {
    for (const pin of pins) {
      const { corners, shares } = triangleAt(mesh, pin)
      const at = toTarget(mesh, pin)
      const size = shares.reduce((sum, share) => sum + share * share, 0)
      corners.forEach((corner, i) => {
        const part = (shares[i] as number) / size
        target[2 * corner] = (target[2 * corner] as number) + part * (pin.toX - at.x)
        target[2 * corner + 1] = (target[2 * corner + 1] as number) + part * (pin.toY - at.y)
      })
    }
  }
  return mesh
}

const meshes = new WeakMap<Mask, { matrix: Matrix; pins: readonly Pin[]; mesh: Mesh }>()

/** The mesh over a handle that a matrix moves and pins bend; the newest of each handle is kept. */
export function routeMesh(handle: Mask, matrix: Matrix, pins: readonly Pin[]): Mesh {
  const known = meshes.get(handle)
  if (known && samePins(known.pins, pins) && known.matrix.every((n, i) => n === matrix[i])) return known.mesh
  const mesh =
    pins.length > 0 ? bentMesh(handle, matrix, pins) : meshOver(handle, (points) => applyAll(matrix, points))
  meshes.set(handle, { matrix, pins, mesh })
  return mesh
}

/** Whether the pins lie on each other, or fold the handle over or flatten it anywhere. */
export function folds(handle: Mask, matrix: Matrix, pins: readonly Pin[]): boolean {
  const near = (a: Pin, b: Pin) =>
    Math.min(Math.hypot(a.x - b.x, a.y - b.y), Math.hypot(a.toX - b.toX, a.toY - b.toY)) < APART
  if (pins.some((a, i) => pins.slice(i + 1).some((b) => near(a, b)))) return true
  const mesh = routeMesh(handle, matrix, pins)
  const missed = pins.some((pin) => {
    const at = toTarget(mesh, pin)
    return !(Math.hypot(at.x - pin.toX, at.y - pin.toY) <= HELD)
  })
  if (missed) return true
  const before = applyAll(matrix, mesh.source)
  const touched = touchedCells(handle, mesh)
  const below = mesh.columns + 1
  const sound = (i: number, j: number, k: number) =>
    area(mesh.target, i, j, k) / area(before, i, j, k) >= LEAST_STRETCH
  for (let cell = 0; cell < touched.length; cell++) {
    if (!touched[cell]) continue
    const a = Math.floor(cell / mesh.columns) * below + (cell % mesh.columns)
    if (!sound(a, a + 1, a + below + 1) || !sound(a, a + below + 1, a + below)) return true
  }
  return false
}

/** Which cells hold a pixel of the handle, row by row. */
function touchedCells(handle: Mask, { columns, rows }: Mesh): Uint8Array {
  const touched = new Uint8Array(columns * rows)
  const column = (x: number) =>
    Math.min(columns - 1, Math.floor(((x - handle.x0 + 0.5) * columns) / handle.w))
  eachRun(handle, (y, first, last) => {
    const row = Math.min(rows - 1, Math.floor(((y - handle.y0 + 0.5) * rows) / handle.h))
    touched.fill(1, row * columns + column(first), row * columns + column(last) + 1)
  })
  return touched
}

function area(vertices: Float64Array, i: number, j: number, k: number): number {
  const at = (n: number) => vertices[n] as number
  const [bx, by] = [at(2 * j) - at(2 * i), at(2 * j + 1) - at(2 * i + 1)]
  const [cx, cy] = [at(2 * k) - at(2 * i), at(2 * k + 1) - at(2 * i + 1)]
  return bx * cy - by * cx
}

/** Whether both are the same pins, in the same order. */
export function samePins(a: readonly Pin[], b: readonly Pin[]): boolean {
  const same = (p: Pin, q: Pin | undefined) =>
    p.x === q?.x && p.y === q.y && p.toX === q.toX && p.toY === q.toY
  return a === b || (a.length === b.length && a.every((pin, i) => same(pin, b[i])))
}

/** The pins, with where they go taken along from one matrix of their ghost to another. */
export function carriedPins(pins: readonly Pin[], along: Matrix): readonly Pin[] {
  return pins.map(({ x, y, toX, toY }) => {
    const at = apply(along, { x: toX, y: toY })
    return { x, y, toX: at.x, toY: at.y }
  })
}
