/** The line round what will be carried, in the handle and where it goes. */
import type { Pair } from "../document/pair"
import { type Carried, carriedOf, type Gesture } from "../document/placement"
import { isEmpty, type Mask } from "../geometry/mask"
import { type Matrix, multiply } from "../geometry/matrix"
import { type Mesh, warpByMesh } from "../geometry/mesh"
import { once } from "../geometry/once"
import type { Viewport } from "../geometry/viewport"
import { CARRIED, css } from "./colors"
import { outlinePath } from "./placing"

/** A mask, and the affine matrix that takes it to where it is shown. */
export interface Placed {
  readonly mask: Mask
  readonly matrix: Matrix | null
}

/**
 * Where a line shows what will be carried: in the handle, and where that goes. None while it is not known, while the
 * handle is painted, and where all that is painted is carried: the handle's own outline shows that.
 */
export function carriedOutlines(pair: Pair, gesture: Gesture): Placed[] {
  const found = gesture.findings.of(pair)
  const painting = gesture.stroke?.pairId === pair.id && gesture.stroke.layer === "handle"
  if (!found || found.verdict === "painted" || painting) return []
  const here = { mask: found.mask, matrix: null }
  const carried = carriedOf(pair, gesture)
  const arrives = carried && !(carried.target && isEmpty(carried.target))
  return arrives ? [here, arrival(carried)] : [here]
}

/** Where carried pixels arrive. */
export function arrival({ mask, matrix, along, mesh }: Carried): Placed {
  if (mesh) return { mask: throughMesh(mask, mesh), matrix: along }
  return { mask, matrix: along ? multiply(along, matrix) : matrix }
}

const warping = once((mesh: Mesh) => once((mask: Mask) => warpByMesh(mask, mesh, true)))

/** Where a mask arrives by a mesh, as it is shown; worked out once for each mesh. */
export function throughMesh(mask: Mask, mesh: Mesh): Mask {
  return warping(mesh)(mask)
}

/** Draws the line round one of them. */
export function paintCarriedLine(
  g: CanvasRenderingContext2D,
  { mask, matrix }: Placed,
  viewport: Viewport,
): void {
  if (isEmpty(mask)) return
  const path = outlinePath(g, mask, matrix, viewport)
  g.save()
  g.lineCap = "round"
  g.strokeStyle = "rgb(20 22 26 / 0.7)"
  g.lineWidth = 3.5
  g.stroke(path)
  g.strokeStyle = css(CARRIED)
  g.lineWidth = 1.5
  g.stroke(path)
  g.restore()
}
