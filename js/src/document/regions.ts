/** What the user has drawn on one picture: pairs of regions and a protected area. Immutable data and pure edits. */
import type { Pin } from "../geometry/bend"
import { emptyMask, isEmpty, type Mask, sameMask } from "../geometry/mask"
import type { Matrix } from "../geometry/matrix"
import {
  changed,
  isComplete,
  type Layer,
  movedAsAWhole,
  newPair,
  type Outline,
  type Pair,
  type PairLayer,
  placedBy,
  withHandle,
  withHandleMoved,
  withPins,
  withTarget,
  withTargetMoved,
} from "./pair"

/** Everything drawn on one picture. */
export interface Regions {
  /** The picture's size. */
  readonly width: number
  readonly height: number
  /** A later pair lies over an earlier one. */
  readonly pairs: readonly Pair[]
  /** What must not change. */
  readonly protect: Mask
  readonly protectOutline: Outline | null
  /** Index of the active pair, -1 for none. */
  readonly selected: number
}

/** Nothing drawn. */
export function emptyRegions(width: number, height: number): Regions {
  return { width, height, pairs: [], protect: emptyMask(width, height), protectOutline: null, selected: -1 }
}

/** Whether anything is drawn. */
export function hasDrawings(regions: Regions): boolean {
  return !isEmpty(regions.protect) || regions.pairs.some((p) => !isEmpty(p.handle) || !isEmpty(p.target))
}

/** Whether the same is drawn in both. */
export function sameRegions(a: Regions, b: Regions): boolean {
  const same = (p: Pair, q: Pair | undefined) =>
    p.id === q?.id && p.rev === q.rev && sameMask(p.handle, q.handle) && sameMask(p.target, q.target)
  return (
    a.pairs.length === b.pairs.length &&
    a.pairs.every((pair, i) => same(pair, b.pairs[i])) &&
    sameMask(a.protect, b.protect)
  )
}

/** The pairs that can be run: something to carry and a place to carry it to. */
export function completePairs(regions: Regions): Pair[] {
  return regions.pairs.filter(isComplete)
}

/** The active pair, or null. */
export function selectedPair(regions: Regions): Pair | null {
  return regions.pairs[regions.selected] ?? null
}

/** Adds an empty pair in an unused shade and selects it; `fields` replace those of the empty one. */
export function addPair(regions: Regions, fields: Partial<Pair> = {}): Regions {
  const used = new Set(regions.pairs.map((p) => p.color))
  let color = 0
  while (used.has(color)) color++
  const pair = { ...newPair(regions.width, regions.height, color), ...fields }
  return { ...regions, pairs: [...regions.pairs, pair], selected: regions.pairs.length }
}

/** Removes a pair; the selection stays on the pair it was on, if that one is left. */
export function removePair(regions: Regions, index: number): Regions {
  const pairs = regions.pairs.filter((_, i) => i !== index)
  const selected = regions.selected > index ? regions.selected - 1 : regions.selected
  return { ...regions, pairs, selected: Math.min(selected, pairs.length - 1) }
}

/** Replaces fields of a pair, such as its name. */
export function changePair(regions: Regions, index: number, fields: Partial<Pair>): Regions {
  return edited(regions, index, (pair) => changed(pair, fields))
}

/** Moves a pair to another place in the list. */
export function reorderPair(regions: Regions, from: number, to: number): Regions {
  const pair = regions.pairs[from]
  if (!pair || from === to || to < 0 || to >= regions.pairs.length) return regions
  const active = selectedPair(regions)
  const pairs = regions.pairs.filter((_, i) => i !== from)
  pairs.splice(to, 0, pair)
  return { ...regions, pairs, selected: active ? pairs.indexOf(active) : -1 }
}

/** Adds a copy of a pair, moved by `offset` pixels so that it can be seen; unchanged if the pair is of another size. */
export function pastePair(regions: Regions, pair: Pair, offset: number): Regions {
  const fits = pair.handle.width === regions.width && pair.handle.height === regions.height
  if (!fits) return regions
  const { name, carry, action } = pair
  return addPair(regions, { name, carry, action, ...movedAsAWhole(pair, offset, offset) })
}

/** Replaces one layer's mask. A handle with a matrix takes its target along; a painted target drops the matrix. */
export function withMask(
  regions: Regions,
  index: number,
  layer: Layer,
  mask: Mask,
  outline?: Outline,
): Regions {
  if (layer === "protect") return { ...regions, protect: mask, protectOutline: outline ?? null }
  const withLayer = layer === "handle" ? withHandle : withTarget
  return edited(regions, index, (pair) => withLayer(pair, mask, outline))
}

/** Carries a pair's handle by a matrix; the target follows exactly. */
export function withMatrix(regions: Regions, index: number, matrix: Matrix): Regions {
  return edited(regions, index, (pair) => placedBy(pair, matrix))
}

/** Replaces a pair's pins; the target follows. */
export function withPinsOf(regions: Regions, index: number, pins: readonly Pin[]): Regions {
  return edited(regions, index, (pair) => withPins(pair, pins))
}

/** Moves a pair's handle or target by whole pixels, as the arrow keys do; nothing without a handle. */
export function nudge(regions: Regions, index: number, layer: PairLayer, dx: number, dy: number): Regions {
  return edited(regions, index, (pair) => {
    if (isEmpty(pair.handle)) return pair
    return layer === "handle" ? withHandleMoved(pair, dx, dy) : withTargetMoved(pair, dx, dy)
  })
}

/** A layer's mask; that of a pair which does not exist is empty. */
export function maskOf(regions: Regions, index: number, layer: Layer): Mask {
  if (layer === "protect") return regions.protect
  return regions.pairs[index]?.[layer] ?? emptyMask(regions.width, regions.height)
}

/** The polygon last drawn on a layer, if its vertices can still be moved. */
export function outlineOf(regions: Regions, index: number, layer: Layer): Outline | null {
  if (layer === "protect") return regions.protectOutline
  return regions.pairs[index]?.outlines[layer] ?? null
}

function edited(regions: Regions, index: number, change: (pair: Pair) => Pair): Regions {
  const before = regions.pairs[index]
  if (!before) return regions
  const after = change(before)
  if (after === before) return regions
  return { ...regions, pairs: regions.pairs.map((pair, i) => (i === index ? after : pair)) }
}
