/** Masks put together. */
import { eachRun, isEmpty, type Mask, MaskBuffer } from "./mask"

/** How a selection is put together with what is there. */
export type Combine = "replace" | "add" | "cut"

/** `mask` put together with what was there. */
export function combined(before: Mask, mask: Mask, how: Combine): Mask {
  if (how === "replace" || (how === "add" && isEmpty(before))) return mask
  const buffer = MaskBuffer.from(before)
  eachRun(mask, (y, first, last) => buffer.span(y, first, last, how === "add" ? 1 : 0))
  return buffer.toMask()
}
