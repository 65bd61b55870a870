import { describe, expect, it } from "vitest"
import {
  apply,
  IDENTITY,
  type Matrix,
  multiply,
  rotationAbout,
  scaleAbout,
  translation,
} from "../../src/geometry/matrix"
import {
  boxCenter,
  broughtHome,
  dragged,
  flipped,
  gripAt,
  gripPoint,
  inBox,
  knobOf,
  rotatePoint,
} from "../../src/geometry/transform"
import { disc, maskOf } from "../masks"

const handle = disc(200, 160, 60, 50, 20)
const plain = { shift: false, alt: false }
const shift = { shift: true, alt: false }
const alt = { shift: false, alt: true }
const corner = { kind: "scale", sx: 1, sy: 1 } as const
const close = (m: Matrix, p: { x: number; y: number }, wanted: { x: number; y: number }) => {
  expect(apply(m, p).x).toBeCloseTo(wanted.x, 6)
  expect(apply(m, p).y).toBeCloseTo(wanted.y, 6)
}

describe("moving", () => {
  const move = { kind: "move" } as const
  it("goes by whole pixels", () => {
    const m = dragged(handle, IDENTITY, move, { x: 60, y: 50 }, { x: 91.4, y: 43.6 }, plain)
    expect(m).toEqual(translation(31, -6))
  })

  it("keeps to one axis with Shift", () => {
    const m = dragged(handle, IDENTITY, move, { x: 60, y: 50 }, { x: 91, y: 43 }, shift)
    expect(m).toEqual(translation(31, 0))
  })

  it("adds to the turn and scale there already are", () => {
    const start = rotationAbout(1, { x: 60, y: 50 })
    const m = dragged(handle, start, move, { x: 0, y: 0 }, { x: 10, y: 5 }, plain)
    close(m, { x: 60, y: 50 }, { x: 70, y: 55 })
  })
})

describe("scaling", () => {
  const fixed = gripPoint(handle, IDENTITY, { kind: "scale", sx: -1, sy: -1 })
  const grabbed = gripPoint(handle, IDENTITY, corner)

  it("brings the corner to the pointer and keeps the opposite one", () => {
    const to = { x: grabbed.x + 30, y: grabbed.y + 7 }
    const m = dragged(handle, IDENTITY, corner, grabbed, to, plain)
    close(m, grabbed, to)
    close(m, fixed, fixed)
  })

  it("keeps the shape with Shift", () => {
    const m = dragged(handle, IDENTITY, corner, grabbed, { x: grabbed.x + 30, y: grabbed.y + 7 }, shift)
    expect(m[0]).toBeCloseTo(m[4], 9)
    expect(m[0]).toBeGreaterThan(1)
  })

  it("keeps the middle with Alt", () => {
    const m = dragged(handle, IDENTITY, corner, grabbed, { x: grabbed.x + 10, y: grabbed.y + 10 }, alt)
    close(m, { x: 60, y: 50 }, { x: 60, y: 50 })
  })

  it("by a side changes one direction", () => {
    const side = { kind: "scale", sx: 1, sy: 0 } as const
    const from = gripPoint(handle, IDENTITY, side)
    const m = dragged(handle, IDENTITY, side, from, { x: from.x + 41, y: 0 }, plain)
    expect([m[0], m[4]]).toEqual([2, 1])
  })

  it("past the opposite corner flips, and never flattens", () => {
    const m = dragged(handle, IDENTITY, corner, grabbed, { x: fixed.x - 20, y: fixed.y }, plain)
    expect(m[0]).toBeLessThan(0)
    expect(Math.abs(m[4])).toBeGreaterThan(0.01)
  })

  it("works along the sides of a turned ghost", () => {
    const start = rotationAbout(Math.PI / 2, { x: 60, y: 50 })
    const from = gripPoint(handle, start, corner)
    const to = { x: from.x - 8, y: from.y + 12 }
    close(dragged(handle, start, corner, from, to, plain), grabbed, to)
  })
})

describe("turning", () => {
  const turn = { kind: "rotate" } as const
  it("turns about the middle by the pointer's angle", () => {
    const m = dragged(handle, IDENTITY, turn, { x: 60, y: 20 }, { x: 90, y: 50 }, plain)
    close(m, { x: 60, y: 30 }, { x: 80, y: 50 })
  })

  it("snaps to fifteen degrees with Shift", () => {
    const m = dragged(handle, IDENTITY, turn, { x: 60, y: 20 }, { x: 68, y: 20 }, shift)
    expect(Math.atan2(m[3], m[0])).toBeCloseTo(Math.PI / 12, 9)
  })
})

describe("flipping", () => {
  it("keeps the middle and mirrors the rest, and twice is nothing", () => {
    const once = flipped(handle, translation(20, 0), "x")
    close(once, { x: 60, y: 50 }, { x: 80, y: 50 })
    close(once, { x: 50, y: 50 }, { x: 90, y: 50 })
    expect(flipped(handle, once, "x").map((n) => n + 0)).toEqual([...translation(20, 0)])
  })
})

describe("grips", () => {
  it("are found near their points, the knob first", () => {
    const at = gripPoint(handle, IDENTITY, corner)
    expect(gripAt(handle, IDENTITY, { x: at.x + 2, y: at.y }, 4, 20)).toEqual(corner)
    expect(gripAt(handle, IDENTITY, rotatePoint(handle, IDENTITY, 20), 4, 20)).toEqual({ kind: "rotate" })
    expect(gripAt(handle, IDENTITY, boxCenter(handle, IDENTITY), 4, 20)).toBeNull()
  })

  it("know the inside of a turned box", () => {
    const matrix = rotationAbout(Math.PI / 4, { x: 60, y: 50 })
    expect(inBox(handle, matrix, { x: 60, y: 76 })).toBe(true)
    expect(inBox(handle, matrix, { x: 74, y: 64 })).toBe(true)
    expect(inBox(handle, matrix, { x: 76, y: 66 })).toBe(false)
  })
})

describe("a drag begun again on the handle", () => {
  it("starts at home with the turn it had", () => {
    const matrix = multiply(translation(70, 30), rotationAbout(0.5, { x: 60, y: 50 }))
    const home = broughtHome(handle, matrix)
    close(home, { x: 60, y: 50 }, { x: 60, y: 50 })
    expect(home[1]).toBeCloseTo(matrix[1], 12)
  })

  it("is the identity for an even-sided handle without a turn", () => {
    expect(broughtHome(maskOf("##", "##"), translation(4, 0))).toEqual(IDENTITY)
  })
})

describe("grips at the edge of the view", () => {
  const view = { x0: 0, y0: 0, x1: 199, y1: 159 }
  const inside = ({ x, y }: { x: number; y: number }) => x >= 0 && y >= 0 && x <= 199 && y <= 159

  it.each([
    ["upper", translation(0, -45)],
    ["lower", translation(0, 100)],
    ["left", translation(-55, 0)],
    ["right", translation(130, 0)],
    ["upper left", translation(-55, -45)],
  ] as const)("stay reachable at the %s edge", (_name, matrix) => {
    const knob = knobOf(handle, matrix, 26, view).at
    expect(inside(knob)).toBe(true)
    expect(gripAt(handle, matrix, knob, 6, 26, view)).toEqual({ kind: "rotate" })
    for (const sx of [-1, 1] as const)
      for (const sy of [-1, 1] as const)
        expect(inside(gripPoint(handle, matrix, { kind: "scale", sx, sy }, view))).toBe(true)
  })

  it("stay where they are if there is room, or if the ghost is out of view", () => {
    expect(knobOf(handle, IDENTITY, 26, view)).toEqual(knobOf(handle, IDENTITY, 26))
    const away = translation(900, 0)
    expect(gripPoint(handle, away, corner, view)).toEqual(gripPoint(handle, away, corner))
  })

  it("have the knob over the ghost where it would be out of view on all sides", () => {
    const large = disc(200, 160, 100, 80, 79)
    expect(inside(knobOf(large, scaleAbout(2, 2, { x: 100, y: 80 }), 26, view).at)).toBe(true)
  })

  it("scale by as much as the pointer moves, wherever it has taken hold", () => {
    const at = gripPoint(handle, IDENTITY, corner)
    const exact = dragged(handle, IDENTITY, corner, at, { x: at.x + 10, y: at.y + 4 }, plain)
    const beside = { x: at.x - 5, y: at.y + 3 }
    const to = { x: beside.x + 10, y: beside.y + 4 }
    expect(dragged(handle, IDENTITY, corner, beside, to, plain)).toEqual(exact)
  })
})
