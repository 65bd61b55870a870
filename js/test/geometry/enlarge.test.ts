import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { combined } from "../../src/geometry/combine"
import { enlarged } from "../../src/geometry/enlarge"
import { area, type Mask, sameMask } from "../../src/geometry/mask"
import { decodeMask, encodedSize } from "../../src/kernel/codec"
import { disc, maskOf, textOf } from "../masks"

const golden: { masks: { name: string; small: string; large: string }[] } = JSON.parse(
  readFileSync(new URL("../../../tests/golden/enlarged.json", import.meta.url), "utf8"),
)

function maskFrom(base64: string): Mask {
  const bytes = Uint8Array.from(Buffer.from(base64, "base64"))
  const { width, height } = encodedSize(bytes)
  return decodeMask(bytes, width, height)
}

describe("a mask enlarged", () => {
  it.each(golden.masks)("is as in Python: $name", ({ small, large }) => {
    const wanted = maskFrom(large)
    const found = enlarged(maskFrom(small), wanted.width, wanted.height)
    const different = area(combined(found, wanted, "cut")) + area(combined(wanted, found, "cut"))
    expect(different).toBeLessThanOrEqual(0.002 * wanted.width * wanted.height)
    expect([found.x0, found.y0, found.w, found.h]).toEqual([wanted.x0, wanted.y0, wanted.w, wanted.h])
  })

  it("is the same mask at its own size", () => {
    const mask = disc(30, 20, 12, 9, 5)
    expect(enlarged(mask, 30, 20)).toBe(mask)
  })

  it("has a box without a margin, so that it can be compared", () => {
    const mask = enlarged(maskOf("....", ".##.", "...."), 40, 30)
    expect(sameMask(mask, maskOf(...textOf(mask)))).toBe(true)
  })

  it("takes milliseconds in a picture of 48 megapixels", () => {
    const small = disc(512, 384, 250, 190, 150)
    enlarged(small, 8000, 6000)
    const began = performance.now()
    const mask = enlarged(small, 8000, 6000)
    expect(performance.now() - began).toBeLessThan(200)
    expect(area(mask) / (Math.PI * (150 * 15.625) ** 2)).toBeCloseTo(1, 1)
  })
})
