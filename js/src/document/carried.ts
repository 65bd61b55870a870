/** Where the pairs' pixels go, as far as the browser knows: what its own preview shows. */
import { isEmpty, type Mask } from "../geometry/mask"
import type { Matrix } from "../geometry/matrix"
import type { Pair, Regions } from "./regions"
import type { Draft, Ghost } from "./store"

/** One region being carried. */
export interface Carried {
  readonly handle: Mask
  /** Limits where the pixels may land; null lets them land wherever the matrix takes them. */
  readonly target: Mask | null
  readonly matrix: Matrix
  /** Takes the target and all that lands in it along, while it is dragged as painted. */
  readonly along: Matrix | null
}

/** What a gesture has changed so far. */
interface Gesture {
  readonly draft: Draft | null
  readonly ghost: Ghost | null
}

/** Where the pair's pixels go now, or null while it has nowhere to go. */
export function carriedOf(pair: Pair, { draft, ghost }: Gesture): Carried | null {
  const { handle, target, matrix } = pair
  if (isEmpty(handle)) return null
  const moved = ghost?.pairId === pair.id ? ghost : null
  if (moved && !moved.painted) return { handle, target: null, matrix: moved.matrix, along: null }
  // While its mask is being painted the carried pixels would lag behind the pointer.
  if (draft?.pairId === pair.id && draft.layer !== "protect") return null
  if (isEmpty(target)) return null
  if (matrix) {
    const affine = matrix[6] === 0 && matrix[7] === 0
    return { handle, target: affine ? null : target, matrix, along: null }
  }
  const box = boxMatrix(handle, target)
  return box ? { handle, target, matrix: box, along: moved?.matrix ?? null } : null
}

export function allCarried(regions: Regions, gesture: Gesture): Carried[] {
  return regions.pairs.flatMap((pair) => carriedOf(pair, gesture) ?? [])
}

/** The matrix a painted target stands for until the kernel works out its own: box onto box. */
export function boxMatrix(handle: Mask, target: Mask): Matrix | null {
  if (isEmpty(handle) || isEmpty(target)) return null
  const sx = target.w / handle.w
  const sy = target.h / handle.h
  const tx = target.x0 - 0.5 - sx * (handle.x0 - 0.5)
  const ty = target.y0 - 0.5 - sy * (handle.y0 - 0.5)
  return [sx, 0, tx, 0, sy, ty, 0, 0, 1]
}
