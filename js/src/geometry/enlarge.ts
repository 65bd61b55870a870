/** Masks of a smaller size in the whole picture. */
import { has, isEmpty, type Mask, maskOfRuns } from "./mask"

/** What a column has in two rows, 0 or 1. */
type Values = readonly [upper: number, lower: number]

/** A place between two columns where the small mask changes, in the upper and the lower of two rows. */
interface Step {
  readonly column: number
  readonly before: Values
  readonly after: Values
}

/**
 * The mask at the picture's size: set where linear interpolation of the small one is at least one half, as
 * `select/enlarging.py` has it. Each run's ends are worked out, not each pixel: that takes milliseconds at any size.
 */
export function enlarged(small: Mask, width: number, height: number): Mask {
  if (small.width === width && small.height === height) return small
  const runs: number[] = []
  if (!isEmpty(small)) {
    const down = height / small.height
    let steps: Step[] = []
    let upper = Number.NaN
    const top = Math.max(0, Math.floor((small.y0 - 1) * down))
    const bottom = Math.min(height, Math.ceil((small.y0 + small.h + 1) * down))
    for (let y = top; y < bottom; y++) {
      const at = (y + 0.5) / down - 0.5
      const row = Math.floor(at)
      if (row !== upper) steps = stepsBetween(small, row)
      upper = row
      addRuns(runs, y, steps, at - row, small.width, width)
    }
  }
  return maskOfRuns(width, height, runs)
}

/** Where a row and the next change. Beyond its edges the mask goes on as it ends. */
function stepsBetween(small: Mask, row: number): Step[] {
  const inside = (y: number) => Math.min(small.height - 1, Math.max(0, y))
  const value = (x: number, y: number) => Number(has(small, x, inside(y)))
  const steps: Step[] = []
  let before: Values = [0, 0]
  for (let column = small.x0 - 1; column < small.x0 + small.w; column++) {
    const after: Values = [value(column + 1, row), value(column + 1, row + 1)]
    if (after[0] !== before[0] || after[1] !== before[1]) steps.push({ column, before, after })
    before = after
  }
  return steps
}

/** Adds the runs of row y, a share of the way from the steps' upper row to the lower one. */
function addRuns(
  runs: number[],
  y: number,
  steps: readonly Step[],
  share: number,
  columns: number,
  width: number,
): void {
  const mixed = ([upper, lower]: Values) => upper + (lower - upper) * share
  let first = 0
  for (const { column, before, after } of steps) {
    const [from, to] = [mixed(before), mixed(after)]
    if (from >= 0.5 === to >= 0.5) continue
    const place = ((column + (0.5 - from) / (to - from) + 0.5) * width) / columns - 0.5
    if (to >= 0.5) first = column < 0 ? 0 : Math.ceil(place)
    else {
      const last = column === columns - 1 ? width - 1 : Math.floor(place)
      if (first <= last) runs.push(y, first, last)
    }
  }
}
