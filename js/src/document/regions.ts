/** The document the user draws: pairs of regions and a protect mask. Plain, immutable data and pure edits. */
import { emptyMask, isEmpty, type Mask, shifted } from "../geometry/mask"
import { type Matrix, multiply, type Point, snapTranslation, translation } from "../geometry/matrix"
import { warpMask } from "../geometry/warp"

export type Layer = "handle" | "target" | "protect"

/** A polygon whose vertices can still be moved: what lay beneath it, its points, whether it cuts. */
export interface Outline {
  readonly base: Mask
  readonly points: readonly Point[]
  readonly cut: boolean
}

export interface Pair {
  readonly id: string
  readonly name: string
  /** Index of the shade. */
  readonly color: number
  /** Takes handle pixels to target pixels exactly; null where the target was painted freely or not at all. */
  readonly matrix: Matrix | null
  readonly visible: boolean
  readonly locked: boolean
  readonly rev: number
  readonly handle: Mask
  readonly target: Mask
  readonly outlines: Partial<Record<"handle" | "target", Outline>>
}

export interface Regions {
  readonly width: number
  readonly height: number
  readonly pairs: readonly Pair[]
  readonly protect: Mask
  readonly protectOutline: Outline | null
  /** Index of the active pair, -1 none. */
  readonly selected: number
}

export function emptyRegions(width: number, height: number): Regions {
  return { width, height, pairs: [], protect: emptyMask(width, height), protectOutline: null, selected: -1 }
}

export function hasDrawings(regions: Regions): boolean {
  return !isEmpty(regions.protect) || regions.pairs.some((p) => !isEmpty(p.handle) || !isEmpty(p.target))
}

/** Pairs that can be run: something to carry and a place to carry it to. */
export function completePairs(regions: Regions): Pair[] {
  return regions.pairs.filter((p) => !isEmpty(p.handle) && !isEmpty(p.target))
}

export function selectedPair(regions: Regions): Pair | null {
  return regions.pairs[regions.selected] ?? null
}

export function addPair(regions: Regions, fields: Partial<Pair> = {}): Regions {
  const used = new Set(regions.pairs.map((p) => p.color))
  let color = 0
  while (used.has(color)) color++
  const pair: Pair = {
    id: newId(),
    name: "",
    color,
    matrix: null,
    visible: true,
    locked: false,
    rev: 0,
    handle: emptyMask(regions.width, regions.height),
    target: emptyMask(regions.width, regions.height),
    outlines: {},
    ...fields,
  }
  return { ...regions, pairs: [...regions.pairs, pair], selected: regions.pairs.length }
}

export function removePair(regions: Regions, index: number): Regions {
  const pairs = regions.pairs.filter((_, i) => i !== index)
  const selected = regions.selected > index ? regions.selected - 1 : regions.selected
  return { ...regions, pairs, selected: Math.min(selected, pairs.length - 1) }
}

export function changePair(regions: Regions, index: number, fields: Partial<Pair>): Regions {
  const pairs = regions.pairs.map((pair, i) =>
    i === index ? { ...pair, ...fields, rev: pair.rev + 1 } : pair,
  )
  return { ...regions, pairs }
}

/** Moves a pair to another place in the list; a later pair lies over an earlier one. */
export function reorderPair(regions: Regions, from: number, to: number): Regions {
  const pair = regions.pairs[from]
  if (!pair || from === to || to < 0 || to >= regions.pairs.length) return regions
  const active = selectedPair(regions)
  const pairs = regions.pairs.filter((_, i) => i !== from)
  pairs.splice(to, 0, pair)
  return { ...regions, pairs, selected: active ? pairs.indexOf(active) : -1 }
}

/** A copy of a pair as a new one, moved a little so that it is seen. */
export function pastePair(regions: Regions, pair: Pair, offset: number): Regions {
  const fits = pair.handle.width === regions.width && pair.handle.height === regions.height
  if (!fits) return regions
  const added = addPair(regions, {
    name: pair.name,
    handle: shifted(pair.handle, offset, offset),
    target: shifted(pair.target, offset, offset),
    // The same drag seen from the shifted frame: T M T^-1.
    matrix: pair.matrix
      ? multiply(translation(offset, offset), multiply(pair.matrix, translation(-offset, -offset)))
      : null,
  })
  const index = added.pairs.length - 1
  const copy = added.pairs[index] as Pair
  return copy.matrix ? withMatrix(added, index, copy.matrix) : added
}

/** Replaces one painted mask; a handle with a matrix takes its target along, a painted target drops the matrix. */
export function withMask(
  regions: Regions,
  index: number,
  layer: Layer,
  mask: Mask,
  outline?: Outline,
): Regions {
  if (layer === "protect") return { ...regions, protect: mask, protectOutline: outline ?? null }
  const pair = regions.pairs[index]
  if (!pair) return regions
  const outlines = { ...pair.outlines }
  delete outlines[layer]
  if (outline) outlines[layer] = outline
  if (layer === "target") return changePair(regions, index, { target: mask, matrix: null, outlines })
  if (!pair.matrix) return changePair(regions, index, { handle: mask, outlines })
  return changePair(regions, index, { handle: mask, target: warpMask(mask, pair.matrix), outlines })
}

/** Sets the drag; the target follows it exactly. */
export function withMatrix(regions: Regions, index: number, matrix: Matrix): Regions {
  const pair = regions.pairs[index]
  if (!pair) return regions
  const exact = snapTranslation(matrix)
  const outlines = { ...pair.outlines }
  delete outlines.target
  return changePair(regions, index, { matrix: exact, target: warpMask(pair.handle, exact), outlines })
}

/** Moves what the arrow keys move: the handle on its layer, else the target (which starts on the handle). */
export function nudge(
  regions: Regions,
  index: number,
  what: "handle" | "target",
  dx: number,
  dy: number,
): Regions {
  const pair = regions.pairs[index]
  if (!pair || isEmpty(pair.handle)) return regions
  if (what === "handle") return withMask(regions, index, "handle", shifted(pair.handle, dx, dy))
  if (!pair.matrix && !isEmpty(pair.target)) {
    return withMask(regions, index, "target", shifted(pair.target, dx, dy))
  }
  return withMatrix(regions, index, multiply(translation(dx, dy), pair.matrix ?? translation(0, 0)))
}

export function maskOf(regions: Regions, index: number, layer: Layer): Mask {
  if (layer === "protect") return regions.protect
  return regions.pairs[index]?.[layer] ?? emptyMask(regions.width, regions.height)
}

export function outlineOf(regions: Regions, index: number, layer: Layer): Outline | null {
  if (layer === "protect") return regions.protectOutline
  return regions.pairs[index]?.outlines[layer] ?? null
}

/** Not `crypto.randomUUID`: pages on plain http away from localhost have none. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(6))
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("")
}
