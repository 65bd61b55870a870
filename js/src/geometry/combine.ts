/** Masks put together. */
import { isEmpty, type Mask, maskOfRuns, runsOf, without } from "./mask"

/** How a selection is put together with what is there. */
export type Combine = "replace" | "add" | "cut"

/** `mask` put together with what was there. Runs are worked on, not pixels: of these there may be 48 million. */
export function combined(before: Mask, mask: Mask, how: Combine): Mask {
  if (how === "replace" || (how === "add" && isEmpty(before))) return mask
  if (isEmpty(mask) || isEmpty(before)) return before
  if (how === "cut") return without(before, mask)
  return maskOfRuns(before.width, before.height, runsOf(before).concat(runsOf(mask)))
}
