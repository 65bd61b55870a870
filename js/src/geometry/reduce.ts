/** Masks at a lower resolution, for a screen that shows several of their pixels as one. */
import { eachRun, type Mask, maskOfRuns } from "./mask"
import { once } from "./once"

/**
 * A mask of which each pixel stands for `step` x `step` of the mask's, a power of two: set where any of them is, so
 * that nothing vanishes. Made once for each mask and step.
 */
export const reduced = once((mask: Mask, step: number): Mask => {
  if (step <= 1) return mask
  const shift = Math.log2(step)
  const runs: number[] = []
  eachRun(mask, (y, first, last) => runs.push(y >> shift, first >> shift, last >> shift))
  return maskOfRuns(Math.ceil(mask.width / step), Math.ceil(mask.height / step), runs)
})

/** How many pixels each way may become one where a pixel of the mask is so many pixels of the screen: a power of two. */
export function stepFor(scale: number): number {
  return 2 ** Math.max(0, Math.floor(-Math.log2(scale)))
}
