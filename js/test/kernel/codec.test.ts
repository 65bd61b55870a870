import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { eachRun, emptyMask, type Mask, MaskBuffer } from "../../src/geometry/mask"
import { decodeMask, encodeMask } from "../../src/kernel/codec"
import { disc, maskOf, textOf } from "../masks"

interface Golden {
  masks: { name: string; width: number; height: number; runs: number[]; base64: string }[]
  malformed: { name: string; base64: string }[]
}

const golden: Golden = JSON.parse(
  readFileSync(new URL("../../../tests/golden/masks.json", import.meta.url), "utf8"),
)
const bytesOf = (base64: string) => Uint8Array.from(Buffer.from(base64, "base64"))

/** Run lengths over the pixels row by row, beginning with zeros. */
function runsOf(mask: Mask): number[] {
  const pixels = new Uint8Array(mask.width * mask.height)
  eachRun(mask, (y, first, last) => pixels.fill(1, y * mask.width + first, y * mask.width + last + 1))
  const runs = [0]
  let value = 0
  for (const pixel of pixels) {
    if (pixel !== value) {
      runs.push(0)
      value = pixel
    }
    runs[runs.length - 1] = (runs.at(-1) ?? 0) + 1
  }
  return runs
}

describe("masks that Python wrote", () => {
  it.each(golden.masks)("reads $name", ({ width, height, runs, base64 }) => {
    expect(runsOf(decodeMask(bytesOf(base64), width, height))).toEqual(runs)
  })

  it.each(golden.masks)("writes $name with the same header", ({ width, height, base64 }) => {
    const bytes = bytesOf(base64)
    const again = encodeMask(decodeMask(bytes.slice(), width, height)).slice()
    expect([...again.slice(0, 28)]).toEqual([...bytes.slice(0, 28)])
    expect(runsOf(decodeMask(again, width, height))).toEqual(runsOf(decodeMask(bytes, width, height)))
  })
})

describe("malformed masks", () => {
  it.each(golden.malformed)("refuses $name", ({ base64 }) => {
    const bytes = bytesOf(base64)
    // Asked for the size they claim, so that the claim alone is not what refuses them.
    const view = new DataView(bytes.buffer)
    const [w, h] = bytes.length >= 12 ? [view.getUint32(4, true), view.getUint32(8, true)] : [8, 8]
    expect(() => decodeMask(bytes, w, h)).toThrow()
  })

  it("says both sizes when a mask is not of the picture's size", () => {
    const bytes = encodeMask(disc(20, 10, 5, 5, 3)).slice()
    expect(() => decodeMask(bytes, 20, 12)).toThrow("the mask is 20 x 10, the picture 20 x 12")
  })
})

describe("encoding", () => {
  it("gives back every pixel", () => {
    const mask = maskOf("..........", "..#.##....", ".......##.", "..........")
    expect(textOf(decodeMask(encodeMask(mask).slice(), 10, 4))).toEqual(textOf(mask))
  })

  it("owns its whole buffer, as the hosts want", () => {
    const bytes = encodeMask(disc(64, 64, 30, 30, 12))
    expect(bytes.byteOffset).toBe(0)
    expect(bytes.byteLength).toBe(bytes.buffer.byteLength)
  })

  it("keeps an empty mask empty", () => {
    const mask = decodeMask(encodeMask(emptyMask(7, 3)).slice(), 7, 3)
    expect(mask).toMatchObject({ w: 0, h: 0, width: 7, height: 3 })
  })

  it("takes a mask whose box is wider than its pixels as the pixels it has", () => {
    const buffer = new MaskBuffer(16, 16)
    buffer.span(3, 2, 9)
    const wide = { ...buffer.toMask(), bits: new Uint8Array(1) }
    expect(decodeMask(encodeMask(wide).slice(), 16, 16).w).toBe(0)
  })
})
