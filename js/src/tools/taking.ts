/** Puts selections into the regions: what the tools that ask the kernel share. */
import type { Layer, Pair } from "../document/pair"
import { addPair, maskOf, type Regions, selectedPair, withMask } from "../document/regions"
import { type Combine, combined } from "../geometry/combine"
import { area, isEmpty, type Mask, sameMask } from "../geometry/mask"
import type { ToolContext, ToolEvent } from "./tool"

/** What the keys held with a press ask for. */
export function combineBy(event: ToolEvent): Combine {
  if (event.alt || event.secondary) return "cut"
  return event.shift ? "add" : "replace"
}

/**
 * What is asked besides the place. A handle needs a little ground around its thing, which shows where the thing ends;
 * what is cut away from one does not.
 */
export function needs({ layer }: ToolContext, how: Combine): { readonly margin?: boolean } {
  return layer === "handle" && how !== "cut" ? { margin: true } : {}
}

/**
 * The regions with a selection on a layer. Something new beside a thing that has its place already becomes a pair of
 * its own; "in place" it replaces what is there.
 */
export function withSelection(
  regions: Regions,
  layer: Layer,
  mask: Mask,
  how: Combine | "in place",
): Regions {
  const pair = selectedPair(regions)
  const another = how === "replace" && layer === "handle" && pair !== null && hasPlace(pair)
  const into = layer !== "protect" && (!pair || another) ? addPair(regions) : regions
  const before = maskOf(into, into.selected, layer)
  const after = how === "in place" ? mask : combined(before, mask, how)
  return sameMask(before, after) ? regions : withMask(into, into.selected, layer, after)
}

/** Puts a selection into the regions, as one undo step. Says so where there is none. */
export function take(mask: Mask, how: Combine, context: ToolContext): void {
  if (isEmpty(mask)) return context.notify("Nothing is selected here")
  context.store.commit(withSelection(context.store.regions, context.layer, mask, how))
  tell(context)
}

/** Says how much is selected now, for those who do not see it. */
export function tell({ store, layer, notify }: ToolContext): void {
  const { regions } = store
  const mask = maskOf(regions, regions.selected, layer)
  if (isEmpty(mask)) return notify("Nothing is selected")
  const share = area(mask) / (regions.width * regions.height)
  notify(`Selected: ${share < 0.01 ? "under 1" : Math.round(100 * share)} % of the picture`)
}

function hasPlace({ handle, target, action }: Pair): boolean {
  return !isEmpty(handle) && (action === "remove" || !isEmpty(target))
}
