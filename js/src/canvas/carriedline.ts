/** The line round what will be carried, in the handle and where it goes. */
import type { Pair } from "../document/pair"
import { type Carried, carriedOf, type Gesture } from "../document/placement"
import { isEmpty, type Mask } from "../geometry/mask"
import { isAffine, type Matrix, multiply } from "../geometry/matrix"
import type { Viewport } from "../geometry/viewport"
import { warpMask } from "../geometry/warp"
import { CARRIED, css } from "./colors"
import { canvasMatrix } from "./placing"
import { maskOutline } from "./sprites"

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

/** Where carried pixels arrive; under a projective matrix the mask is warped, once for each target. */
function arrival({ mask, target, matrix, along }: Carried): Placed {
  if (isAffine(matrix)) return { mask, matrix: along ? multiply(along, matrix) : matrix }
  const key = target ?? mask
  const known = warped.get(key)
  if (known?.mask === mask && known.matrix.every((n, i) => n === matrix[i]))
    return { mask: known.at, matrix: along }
  const at = warpMask(mask, matrix)
  warped.set(key, { mask, matrix, at })
  return { mask: at, matrix: along }
}

const warped = new WeakMap<Mask, { mask: Mask; matrix: Matrix; at: Mask }>()

/** Draws the line round one of them. */
export function paintCarriedLine(
  g: CanvasRenderingContext2D,
  { mask, matrix }: Placed,
  viewport: Viewport,
): void {
  if (isEmpty(mask)) return
  const path = new Path2D()
  path.addPath(maskOutline(mask), canvasMatrix(matrix, viewport))
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
