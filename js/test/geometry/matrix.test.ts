import { describe, expect, it } from "vitest"
import {
  apply,
  IDENTITY,
  invert,
  isTranslation,
  type Matrix,
  matrixFrom,
  multiply,
  rotationAbout,
  scaleAbout,
  snapTranslation,
  translation,
} from "../../src/geometry/matrix"

const near = (m: Matrix, wanted: Matrix) => {
  m.forEach((value, i) => {
    expect(value).toBeCloseTo(wanted[i] ?? Number.NaN, 9)
  })
}

describe("matrices", () => {
  it("apply the right factor first", () => {
    const m = multiply(translation(10, 0), scaleAbout(2, 2, { x: 0, y: 0 }))
    expect(apply(m, { x: 3, y: 4 })).toEqual({ x: 16, y: 8 })
  })

  it("undo themselves by their inverse, projective ones too", () => {
    const m: Matrix = [1.2, 0.1, 5, -0.2, 0.9, 3, 0.001, -0.0005, 1]
    const back = invert(m)
    expect(back).not.toBeNull()
    if (back) {
      const p = apply(back, apply(m, { x: 37, y: 12 }))
      expect(p.x).toBeCloseTo(37, 8)
      expect(p.y).toBeCloseTo(12, 8)
    }
  })

  it("have no inverse when they flatten the plane", () => {
    expect(invert([1, 1, 0, 1, 1, 0, 0, 0, 1])).toBeNull()
  })

  it("turn and scale about a point that stays", () => {
    const fixed = { x: 7, y: -3 }
    for (const m of [rotationAbout(1.1, fixed), scaleAbout(3, 0.5, fixed)]) {
      const p = apply(m, fixed)
      expect(p.x).toBeCloseTo(7, 12)
      expect(p.y).toBeCloseTo(-3, 12)
    }
  })

  it("snap to whole pixels only where they are pure translations", () => {
    near(snapTranslation(translation(3.4, -2.6)), translation(3, -3))
    const turned = rotationAbout(0.3, { x: 4.4, y: 1.2 })
    expect(snapTranslation(turned)).toBe(turned)
    expect(isTranslation(turned)).toBe(false)
  })
})

describe("a matrix from outside", () => {
  it("may be nine numbers or three rows", () => {
    expect(matrixFrom([1, 0, 0, 0, 1, 0, 0, 0, 1])).toEqual(IDENTITY)
    expect(
      matrixFrom([
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ]),
    ).toEqual(IDENTITY)
  })

  it.each([null, "m", [1, 2, 3], [1, 0, 0, 0, 1, 0, 0, 0, Number.NaN], [0, 0, 0, 0, 0, 0, 0, 0, 1]])(
    "is refused when it is %j",
    (value) => {
      expect(matrixFrom(value)).toBeNull()
    },
  )
})
