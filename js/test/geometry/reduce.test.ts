/** Masks at a lower resolution. */
import { expect, it } from "vitest"
import { emptyMask, has, isEmpty, MaskBuffer } from "../../src/geometry/mask"
import { reduced, stepFor } from "../../src/geometry/reduce"

const [W, H] = [45, 31]

it.each([1, 2, 4, 8, 64])("sets a pixel where any of %i x that many is set", (step) => {
  const buffer = new MaskBuffer(W, H)
  for (let y = 3; y < H; y++) buffer.span(y, (y * 5) % 40, ((y * 5) % 40) + (y % 3))
  const mask = buffer.toMask()
  const small = reduced(mask, step)
  expect([small.width, small.height]).toEqual([Math.ceil(W / step), Math.ceil(H / step)])
  for (let j = 0; j < small.height; j++)
    for (let i = 0; i < small.width; i++) {
      let any = false
      for (let k = 0; k < step * step; k++)
        any ||= has(mask, i * step + (k % step), j * step + Math.floor(k / step))
      expect(has(small, i, j)).toBe(any)
    }
  expect(reduced(mask, step)).toBe(small)
})

it("leaves an empty mask empty", () => expect(isEmpty(reduced(emptyMask(W, H), 4))).toBe(true))

it.each([
  [3, 1],
  [1, 1],
  [0.51, 1],
  [0.5, 2],
  [0.26, 2],
  [0.125, 8],
  [0.02, 32],
])("at %f screen pixels a pixel, %i become one", (scale, step) => expect(stepFor(scale)).toBe(step))
