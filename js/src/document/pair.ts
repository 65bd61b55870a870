/** A pair of regions, what is carried and where to, and the changes that can be made to it. Immutable. */
import { carriedPins, type Pin, routeMesh } from "../geometry/bend"
import { emptyMask, has, isEmpty, type Mask, shifted, without } from "../geometry/mask"
import {
  apply,
  IDENTITY,
  invert,
  isAffine,
  type Matrix,
  multiply,
  type Point,
  snapTranslation,
  translation,
} from "../geometry/matrix"
import { type Mesh, warpByMesh } from "../geometry/mesh"
import { warpMask } from "../geometry/warp"

/** What can be painted: what to carry, where to carry it, and what must not change. */
export type Layer = "handle" | "target" | "protect"

/** The layers that belong to a pair. */
export type PairLayer = Exclude<Layer, "protect">

/** What of a handle is carried: the object found in it, all that is painted, or what was chosen in Python. */
export type Carry = "object" | "painted" | "mask"

/** What is done with the content: it moves, a copy of it moves, or it is removed and its place filled. */
export type Action = "move" | "copy" | "remove"

/** A polygon whose vertices can still be moved. */
export interface Outline {
  /** The mask beneath it, before it was drawn. */
  readonly base: Mask
  readonly points: readonly Point[]
  /** Whether it cuts away instead of adding. */
  readonly cut: boolean
}

/** A handle with its target. */
export interface Pair {
  readonly id: string
  /** As the user named it; may be empty. */
  readonly name: string
  /** Index of the shade. */
  readonly color: number
  /** Takes handle pixels to target pixels exactly; null where the target was painted, or there is none yet. */
  readonly matrix: Matrix | null
  /** Pins that bend the target; the matrix, or the identity, is the map before the bending. */
  readonly pins: readonly Pin[]
  /** The key of the dense map in the kernel that moves the handle; null for none. */
  readonly dense: string | null
  readonly visible: boolean
  readonly locked: boolean
  /** Rises with every change. */
  readonly rev: number
  readonly handle: Mask
  readonly target: Mask
  /** Null leaves it to the settings. */
  readonly carry: Carry | null
  /** What was chosen to be carried; empty unless `carry` is "mask". */
  readonly chosen: Mask
  /** A removal leaves its target unused. */
  readonly action: Action
  readonly outlines: Partial<Record<PairLayer, Outline>>
}

/** A pair with nothing drawn, for a picture of this size. */
export function newPair(width: number, height: number, color: number): Pair {
  const empty = emptyMask(width, height)
  return {
    id: newId(),
    name: "",
    color,
    matrix: null,
    pins: [],
    dense: null,
    visible: true,
    locked: false,
    rev: 0,
    handle: empty,
    target: empty,
    carry: null,
    chosen: empty,
    action: "move",
    outlines: {},
  }
}

/** Whether there is something to carry and a place to carry it to, or something to remove. */
export function isComplete(pair: Pair): boolean {
  return !isEmpty(pair.handle) && (pair.action === "remove" || !isEmpty(pair.target))
}

/** The pair with some fields replaced, as a new revision. */
export function changed(pair: Pair, fields: Partial<Pair>): Pair {
  return { ...pair, ...fields, rev: pair.rev + 1 }
}

/** Whether the target follows from the handle by a matrix, by pins, or by both. */
export function hasRoute(pair: Pick<Pair, "matrix" | "pins">): boolean {
  return pair.matrix !== null || pair.pins.length > 0
}

/** The mesh by which the handle goes to its target; null where the matrix alone, an affine one, says it all. */
export function meshOf({ handle, matrix, pins }: Pick<Pair, "handle" | "matrix" | "pins">): Mesh | null {
  if (isEmpty(handle) || (pins.length === 0 && (!matrix || isAffine(matrix)))) return null
  return routeMesh(handle, matrix ?? IDENTITY, pins)
}

/** The target that follows from the handle by the matrix and the pins. */
export function routed(pair: Pick<Pair, "handle" | "matrix" | "pins">): Mask {
  if (pair.pins.length === 0) return warpMask(pair.handle, pair.matrix ?? IDENTITY)
  const mesh = meshOf(pair)
  return mesh ? warpByMesh(pair.handle, mesh) : pair.handle
}

/** The pair with another handle; where it has a matrix or pins, the target follows. Pins that lose their pixel go. */
export function withHandle(pair: Pair, handle: Mask, outline?: Outline): Pair {
  const outlines = replaced(pair, "handle", outline)
  const fields = { handle, outlines, ...corrected(pair, handle) }
  if (!hasRoute(pair)) return changed(pair, fields)
  const left = pair.pins.filter((pin) => nearMask(handle, pin))
  const pins = left.length === pair.pins.length ? pair.pins : left
  const target = isEmpty(handle) ? handle : routed({ handle, matrix: pair.matrix, pins })
  return changed(pair, { ...fields, pins, matrix: pair.matrix ?? IDENTITY, target })
}

/** The pair with its handle moved by whole pixels; what was chosen in it moves along. */
export function withHandleMoved(pair: Pair, dx: number, dy: number): Pair {
  const handle = shifted(pair.handle, dx, dy)
  const matrix = pair.matrix ?? IDENTITY
  const pins = pair.pins.map((pin) => {
    const [before, after] = [apply(matrix, pin), apply(matrix, { x: pin.x + dx, y: pin.y + dy })]
    const [toX, toY] = [pin.toX + after.x - before.x, pin.toY + after.y - before.y]
    return { x: pin.x + dx, y: pin.y + dy, toX, toY }
  })
  const moved = pins.length > 0 ? { ...pair, pins } : pair
  return { ...withHandle(moved, handle), carry: pair.carry, chosen: shifted(pair.chosen, dx, dy) }
}

/** The pair with a painted target, which has no matrix. */
export function withTarget(pair: Pair, target: Mask, outline?: Outline): Pair {
  return changed(pair, {
    target,
    matrix: null,
    pins: [],
    dense: null,
    outlines: replaced(pair, "target", outline),
    ...withPlace(pair),
  })
}

/** The pair with its handle carried by a matrix; a pure translation is rounded to whole pixels. Pins go along. */
export function placedBy(pair: Pair, matrix: Matrix): Pair {
  return bentTo({ ...pair, matrix: snapTranslation(matrix), pins: pinsAlong(pair, matrix) })
}

/** The pair with other pins. */
export function withPins(pair: Pair, pins: readonly Pin[]): Pair {
  return bentTo({ ...pair, matrix: pair.matrix ?? IDENTITY, pins })
}

/** The pair's pins once its ghost has another matrix. */
export function pinsAlong(pair: Pick<Pair, "matrix" | "pins">, matrix: Matrix): readonly Pin[] {
  const back = pair.pins.length > 0 ? invert(pair.matrix ?? IDENTITY) : null
  return back ? carriedPins(pair.pins, multiply(snapTranslation(matrix), back)) : pair.pins
}

function bentTo(pair: Pair): Pair {
  const outlines = replaced(pair, "target")
  return changed(pair, { target: routed(pair), dense: null, outlines, ...withPlace(pair) })
}

/** The pair with its target moved by whole pixels; without a target, it starts on the handle. */
export function withTargetMoved(pair: Pair, dx: number, dy: number): Pair {
  if (pair.dense) return pair
  if (!hasRoute(pair) && !isEmpty(pair.target)) return withTarget(pair, shifted(pair.target, dx, dy))
  return placedBy(pair, multiply(translation(dx, dy), pair.matrix ?? translation(0, 0)))
}

/** Handle, target and matrix moved together by whole pixels. */
export function movedAsAWhole(
  pair: Pair,
  dx: number,
  dy: number,
): Pick<Pair, "handle" | "target" | "matrix" | "pins" | "chosen"> {
  const handle = shifted(pair.handle, dx, dy)
  const chosen = shifted(pair.chosen, dx, dy)
  if (!hasRoute(pair)) return { handle, target: shifted(pair.target, dx, dy), matrix: null, pins: [], chosen }
  // The same drag seen from the shifted frame: T M T^-1.
  const before = pair.matrix ?? IDENTITY
  const matrix = snapTranslation(multiply(translation(dx, dy), multiply(before, translation(-dx, -dy))))
  const pins = pair.pins.map(({ x, y, toX, toY }) => ({ x: x + dx, y: y + dy, toX: toX + dx, toY: toY + dy }))
  const left = pins.filter((pin) => nearMask(handle, pin))
  return { handle, target: routed({ handle, matrix, pins: left }), matrix, pins: left, chosen }
}

/** A short random identifier. Not `crypto.randomUUID`: pages on plain http away from localhost have none. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(6))
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("")
}

/** What was chosen, corrected by a new handle: what was erased goes, what was painted is carried too. */
function corrected(pair: Pair, handle: Mask): Partial<Pair> {
  if (pair.carry !== "mask") return {}
  const chosen = without(handle, without(pair.handle, pair.chosen))
  return isEmpty(chosen) ? { carry: null, chosen } : { chosen }
}

/** What is given a place to go to is not removed any more. */
function withPlace(pair: Pair): Partial<Pair> {
  return pair.action === "remove" ? { action: "move" } : {}
}

/** Whether a point lies on the mask, or within a pixel of it: a pin may be on its very edge. */
function nearMask(mask: Mask, { x, y }: Point): boolean {
  const around = [-1, 0, 1]
  return around.some((dy) => around.some((dx) => has(mask, Math.round(x + dx), Math.round(y + dy))))
}

function replaced(pair: Pair, layer: PairLayer, outline?: Outline): Pair["outlines"] {
  const { [layer]: _, ...others } = pair.outlines
  return outline ? { ...others, [layer]: outline } : others
}
