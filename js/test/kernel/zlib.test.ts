import { constants, deflateSync, inflateSync } from "node:zlib"
import { describe, expect, it } from "vitest"
import { unzlib, zlib } from "../../src/kernel/zlib"
import { disc } from "../masks"

/** Numbers that look random and come again. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0
const next = random(5)
const bytes = (length: number, value: (i: number) => number) =>
  Uint8Array.from({ length }, (_, i) => value(i))
const SAMPLES: [string, Uint8Array][] = [
  ["nothing", new Uint8Array(0)],
  ["one byte", Uint8Array.of(200)],
  ["zeros", new Uint8Array(70_000)],
  ["every byte", bytes(1_024, (i) => i)],
  ["noise", bytes(40_000, () => 256 * next())],
  ["few values", bytes(50_000, () => 3 * next())],
  ["a pattern that comes again far away", bytes(90_000, (i) => ((i % 32_768) ** 2) >> 7)],
  ["a pattern that comes again too far away", bytes(90_000, (i) => ((i % 32_769) ** 2) >> 7)],
  ["a mask", disc(900, 700, 400, 300, 280).bits],
]

describe("zlib", () => {
  it.each(SAMPLES)("packs %s as others unpack it", (_, data) => {
    expect(same(inflateSync(zlib(data)), data)).toBe(true)
  })

  it.each(SAMPLES)("unpacks %s as others pack it, in each kind of block", (_, data) => {
    const { Z_FIXED, Z_HUFFMAN_ONLY, Z_DEFAULT_STRATEGY } = constants
    for (const options of [
      { level: 0 },
      { level: 1 },
      { level: 9 },
      ...[Z_FIXED, Z_HUFFMAN_ONLY, Z_DEFAULT_STRATEGY].map((strategy) => ({ strategy })),
    ])
      expect(same(unzlib(Uint8Array.from(deflateSync(data, options)), data.length), data)).toBe(true)
  })

  it("makes a mask as small as others do, about", () => {
    const { bits } = disc(900, 700, 400, 300, 280)
    expect(zlib(bits).length).toBeLessThan(3 * deflateSync(bits, { level: 6 }).length)
  })

  it("refuses what is too long, too short, cut or damaged, and never hangs", () => {
    const data = bytes(3_000, (i) => (i % 50) + 2 * next())
    const packed = Uint8Array.from(deflateSync(data))
    expect(() => unzlib(packed, 2_999)).toThrow()
    expect(() => unzlib(packed, 3_001)).toThrow()
    for (let i = 0; i < packed.length; i++) {
      expect(() => unzlib(packed.subarray(0, i), 3_000)).toThrow()
      const damaged = packed.slice()
      damaged[i] = (damaged[i] ?? 0) ^ (1 << Math.floor(8 * next()))
      // The window's size is told in the header; it does not matter for data in one piece.
      if (i > 0) expect(() => unzlib(damaged, 3_000), `byte ${i}`).toThrow()
    }
  })
})
