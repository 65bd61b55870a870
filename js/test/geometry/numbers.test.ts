import { describe, expect, it } from "vitest"
import { IDENTITY, multiply, rotationAbout, scaleAbout, translation } from "../../src/geometry/matrix"
import { numbersOf, withNumber } from "../../src/geometry/numbers"
import { boxCenter, flipped } from "../../src/geometry/transform"
import { disc } from "../masks"

const handle = disc(200, 160, 60, 50, 20)
const middle = boxCenter(handle, IDENTITY)

describe("a ghost's numbers", () => {
  it("are none while it lies on its handle", () => {
    expect(numbersOf(handle, IDENTITY)).toEqual({ x: 0, y: 0, scale: 100, angle: 0 })
  })

  it("say how far, how large and how turned, whatever the order it was made in", () => {
    const turned = multiply(rotationAbout(-Math.PI / 6, middle), scaleAbout(1.5, 1.5, middle))
    const { x, y, scale, angle } = numbersOf(handle, multiply(translation(30, -8), turned))
    expect([x, y, scale, angle].map((n) => Math.round(n * 1e6) / 1e6)).toEqual([30, -8, 150, 30])
  })

  it("count the turn counter-clockwise, half a turn as 180", () => {
    expect(numbersOf(handle, rotationAbout(Math.PI, middle)).angle).toBeCloseTo(180)
    expect(numbersOf(handle, rotationAbout(Math.PI / 2, middle)).angle).toBeCloseTo(-90)
  })

  it("see no turn in a flip across", () => {
    expect(numbersOf(handle, flipped(handle, IDENTITY, "x")).angle).toBeCloseTo(0)
  })
})

describe("typing a number", () => {
  const start = multiply(translation(12, 5), rotationAbout(0.4, middle))
  it.each([
    ["x", 40],
    ["y", -20],
    ["scale", 80],
    ["angle", -75],
  ] as const)("changes %s alone", (name, value) => {
    const before = numbersOf(handle, start)
    const after = numbersOf(handle, withNumber(handle, start, name, value))
    for (const key of ["x", "y", "scale", "angle"] as const)
      expect(after[key]).toBeCloseTo(key === name ? value : before[key], 6)
  })

  it("keeps a flip", () => {
    const mirrored = withNumber(handle, flipped(handle, IDENTITY, "x"), "angle", 20)
    expect(mirrored[0] * mirrored[4] - mirrored[1] * mirrored[3]).toBeCloseTo(-1)
    expect(numbersOf(handle, mirrored).angle).toBeCloseTo(20)
  })

  it("stays within a hundredth and a hundredfold, and leaves what is no number alone", () => {
    expect(numbersOf(handle, withNumber(handle, start, "scale", 0)).scale).toBeCloseTo(1)
    expect(numbersOf(handle, withNumber(handle, start, "scale", 1e9)).scale).toBeCloseTo(10_000)
    expect(withNumber(handle, start, "x", Number.NaN)).toBe(start)
  })
})
