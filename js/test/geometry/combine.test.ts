/** Masks put together, compared with the same done pixel by pixel. */
import { expect, it } from "vitest"
import { combined } from "../../src/geometry/combine"
import { emptyMask, has, type Mask, MaskBuffer } from "../../src/geometry/mask"

const [W, H] = [37, 23]

/** The mask of the pixels for which `inside` holds. */
function maskWhere(inside: (x: number, y: number) => boolean): Mask {
  const buffer = new MaskBuffer(W, H)
  for (let y = 0; y < H; y++) for (let x = 0; x < W; x++) if (inside(x, y)) buffer.span(y, x, x)
  return buffer.toMask()
}

const masks: Record<string, Mask> = {
  nothing: emptyMask(W, H),
  all: maskWhere(() => true),
  left: maskWhere((x, y) => x < 13 && y > 4 && y < 20),
  disc: maskWhere((x, y) => (x - 14) ** 2 + (y - 9) ** 2 < 50),
  lower: maskWhere((x, y) => x >= 13 && y >= 15),
  speckles: maskWhere((x, y) => (x * 7 + y * 13) % 5 < 2),
}
const names = Object.keys(masks)

it.each(names.flatMap((a) => names.map((b) => [a, b] as const)))("%s with %s", (a, b) => {
  const [before, mask] = [masks[a] as Mask, masks[b] as Mask]
  expect(combined(before, mask, "replace")).toEqual(mask)
  const either = maskWhere((x, y) => has(before, x, y) || has(mask, x, y))
  expect(combined(before, mask, "add")).toEqual(either)
  const rest = maskWhere((x, y) => has(before, x, y) && !has(mask, x, y))
  expect(combined(before, mask, "cut")).toEqual(rest)
})
