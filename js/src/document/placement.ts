/**
 * Where the pairs' pixels go, the drag under the pointer included. The one answer for all who ask: the canvas
 * (`carriedOf`), a request to the kernel (`pairAt`), and live editing (`placementKey`).
 */
import type { Pin } from "../geometry/bend"
import { emptyMask, isEmpty, type Mask, shifted } from "../geometry/mask"
import { IDENTITY, type Matrix, snapTranslation } from "../geometry/matrix"
import type { Mesh } from "../geometry/mesh"
import type { Findings } from "./findings"
import { type Action, hasRoute, type Layer, meshOf, type Pair, pinsAlong } from "./pair"
import type { Regions } from "./regions"
import type { Routes } from "./routes"

/** A drag under the pointer: the pair and the matrix that its ghost has now. */
export interface Ghost {
  readonly pairId: string
  /** Takes the handle to its place; where `painted`, it moves the painted target, which has no matrix. */
  readonly matrix: Matrix
  readonly painted: boolean
  /** What the drag makes of the pair. */
  readonly action?: Action
  /** The pair that this drag makes, as by copying; it exists once the drag ends. */
  readonly newPair?: Pair
  /** The pins while they are pulled; left out, they go along with the matrix. */
  readonly pins?: readonly Pin[]
}

/** What the gesture under the pointer has changed so far. */
export interface Gesture {
  /** What of the handles will be carried, as far as it is known. */
  readonly findings: Pick<Findings, "of">
  /** The layer that is being painted, and whose; null for none. */
  readonly stroke: { readonly pairId: string; readonly layer: Layer } | null
  readonly ghost: Ghost | null
  /** How painted targets and dense maps go, as far as the kernel has told. */
  readonly routes: Pick<Routes, "of">
}

/** One region being carried, as far as the browser knows. */
export interface Carried {
  /** What is carried: the object in the handle, or the handle until more is known. */
  readonly mask: Mask
  /** Limits where the pixels may land; null lets them land wherever the matrix takes them. */
  readonly target: Mask | null
  readonly matrix: Matrix
  /** Takes the target and all that lands in it along, while it is dragged as painted. */
  readonly along: Matrix | null
  /** Whether the original stays where it is. */
  readonly copied: boolean
  /** How the pixels go, where no affine matrix says it. */
  readonly mesh: Mesh | null
}

/** The pair as it would be if the ghost were let go now; a target that follows from its matrix is left empty. */
export function pairAt(pair: Pair, ghost: Ghost | null): Pair {
  if (ghost?.pairId !== pair.id) return pair
  const { matrix, painted } = ghost
  const action = ghost.action ?? (pair.action === "remove" ? "move" : pair.action)
  if (painted) return { ...pair, action, target: shifted(pair.target, matrix[2], matrix[5]) }
  const { width, height } = pair.handle
  const pins = ghost.pins ?? pinsAlong(pair, matrix)
  const placed = { matrix: snapTranslation(matrix), pins, dense: null }
  return { ...pair, ...placed, action, target: emptyMask(width, height) }
}

/** Where the pair's pixels go now, or null while there is nowhere for them to go. */
export function carriedOf(pair: Pair, { stroke, ghost, findings, routes }: Gesture): Carried | null {
  const { handle, target } = pair
  if (isEmpty(handle)) return null
  const found = findings.of(pair)?.mask
  const mask = found && !isEmpty(found) ? found : handle
  const dragged = ghost?.pairId === pair.id ? ghost : null
  const copied = (dragged?.action ?? pair.action) === "copy"
  if (dragged && !dragged.painted) return byRoute(pairAt(pair, dragged), mask)
  // While a mask is being painted, the carried pixels would lag behind the pointer.
  if (stroke?.pairId === pair.id && stroke.layer !== "protect") return null
  if (pair.action === "remove" && !dragged) {
    const nowhere = emptyMask(handle.width, handle.height)
    return { mask, target: nowhere, matrix: IDENTITY, along: null, mesh: null, copied }
  }
  if (isEmpty(target)) return null
  if (hasRoute(pair)) return byRoute(pair, mask)
  const along = dragged?.matrix ?? null
  const box = boxMatrix(handle, target)
  if (!box) return null
  return { mask, target, matrix: box, along, mesh: routes.of(pair), copied }
}

function byRoute(pair: Pair, mask: Mask): Carried {
  const copied = pair.action === "copy"
  return { mask, target: null, matrix: pair.matrix ?? IDENTITY, along: null, mesh: meshOf(pair), copied }
}

/** Where the pixels of all pairs go now. */
export function allCarried(regions: Regions, gesture: Gesture): Carried[] {
  return regions.pairs.flatMap((pair) => carriedOf(pair, gesture) ?? [])
}

/** A text that is the same as long as everything is in the same place. */
export function placementKey(regions: Regions, ghost: Ghost | null): string {
  const parts = regions.pairs.map((pair) => {
    const { id, action, matrix, pins, dense, target } = pairAt(pair, ghost)
    const bent = pins.map(({ x, y, toX, toY }) => [x, y, toX, toY])
    return `${id}:${action}:${matrix ?? [target.x0, target.y0, target.w, target.h]};${bent}${dense ?? ""}`
  })
  return parts.join(" ")
}

/** Maps the handle's bounding box onto the target's: what a painted target means until the kernel works out its own. */
export function boxMatrix(handle: Mask, target: Mask): Matrix | null {
  if (isEmpty(handle) || isEmpty(target)) return null
  const sx = target.w / handle.w
  const sy = target.h / handle.h
  const tx = target.x0 - 0.5 - sx * (handle.x0 - 0.5)
  const ty = target.y0 - 0.5 - sy * (handle.y0 - 0.5)
  return [sx, 0, tx, 0, sy, ty, 0, 0, 1]
}
