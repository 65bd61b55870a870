import { describe, expect, it } from "vitest"
import { area, centroid, has, isEmpty } from "../../src/geometry/mask"
import {
  apply,
  type Matrix,
  multiply,
  rotationAbout,
  scaleAbout,
  translation,
} from "../../src/geometry/matrix"
import { warpMask } from "../../src/geometry/warp"
import { disc, maskOf, textOf } from "../masks"

describe("a warped mask", () => {
  it("is the handle itself, moved, for a whole translation", () => {
    expect(textOf(warpMask(maskOf("##....", "#....."), translation(3, 1)))).toEqual(["......", "...##."])
  })

  it("holds a pixel when its centre comes from a handle pixel", () => {
    const handle = disc(80, 60, 25, 28, 11)
    const matrix = multiply(translation(20, 4), rotationAbout(0.6, { x: 25, y: 28 }))
    const back = multiply(rotationAbout(-0.6, { x: 25, y: 28 }), translation(-20, -4))
    const target = warpMask(handle, matrix)
    for (let y = 0; y < 60; y++) {
      for (let x = 0; x < 80; x++) {
        const p = apply(back, { x, y })
        expect(has(target, x, y), `${x},${y}`).toBe(has(handle, Math.round(p.x), Math.round(p.y)))
      }
    }
  })

  it("grows with the scale", () => {
    const handle = disc(120, 120, 40, 40, 10)
    const target = warpMask(handle, scaleAbout(2, 1.5, { x: 40, y: 40 }))
    expect(area(target) / area(handle)).toBeCloseTo(3, 1)
    // Centres that fall between two handle pixels go to the right one: half a pixel at most.
    expect(Math.abs((centroid(target)?.x ?? 0) - 40)).toBeLessThanOrEqual(0.5)
  })

  it("mirrors exactly", () => {
    const handle = maskOf("......", ".##...", ".#....", "......")
    const middle = { x: 2.5, y: 1.5 }
    expect(textOf(warpMask(handle, scaleAbout(-1, 1, middle)))).toEqual([
      "......",
      "...##.",
      "....#.",
      "......",
    ])
  })

  it("keeps only what lies on the picture", () => {
    const target = warpMask(disc(40, 40, 20, 20, 8), translation(18, 0))
    expect(target.x0 + target.w).toBe(40)
    expect(isEmpty(warpMask(disc(40, 40, 20, 20, 8), translation(90, 0)))).toBe(true)
  })

  it("follows a projective map", () => {
    const matrix: Matrix = [1, 0, 0, 0, 1, 0, 0.004, 0, 1]
    const target = warpMask(disc(100, 80, 60, 40, 15), matrix)
    const middle = apply(matrix, { x: 60, y: 40 })
    expect(has(target, Math.round(middle.x), Math.round(middle.y))).toBe(true)
    expect(area(target)).toBeLessThan(area(disc(100, 80, 60, 40, 15)))
  })
})
