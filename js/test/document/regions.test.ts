import { describe, expect, it } from "vitest"
import {
  addPair,
  changePair,
  completePairs,
  emptyRegions,
  hasDrawings,
  nudge,
  pastePair,
  type Regions,
  removePair,
  reorderPair,
  withMask,
  withMatrix,
} from "../../src/document/regions"
import { isEmpty } from "../../src/geometry/mask"
import { rotationAbout, scaleAbout, translation } from "../../src/geometry/matrix"
import { warpMask } from "../../src/geometry/warp"
import { disc, textOf } from "../masks"

const [W, H] = [60, 40]
const handle = disc(W, H, 15, 15, 6)
const one = (): Regions => withMask(addPair(emptyRegions(W, H)), 0, "handle", handle)
const ids = (regions: Regions) => regions.pairs.map((p) => p.name)
const named = (...names: string[]) =>
  names.reduce((regions, name) => addPair(regions, { name }), emptyRegions(W, H))

describe("a drag", () => {
  it("gives the target the handle's pixels and keeps the exact matrix", () => {
    const pair = withMatrix(one(), 0, translation(20, 5)).pairs[0]
    expect(pair?.matrix).toEqual(translation(20, 5))
    expect(textOf(pair?.target ?? handle)).toEqual(textOf(warpMask(handle, translation(20, 5))))
  })

  it("of a fraction of a pixel lands on whole ones", () => {
    expect(withMatrix(one(), 0, translation(20.4, 4.6)).pairs[0]?.matrix).toEqual(translation(20, 5))
  })

  it("takes the target along when the handle is painted on", () => {
    const moved = withMatrix(one(), 0, translation(20, 5))
    const more = withMask(moved, 0, "handle", disc(W, H, 15, 15, 9)).pairs[0]
    expect(textOf(more?.target ?? handle)).toEqual(textOf(disc(W, H, 35, 20, 9)))
    expect(more?.matrix).toEqual(translation(20, 5))
  })

  it("gives way to a target painted freely", () => {
    const painted = withMask(withMatrix(one(), 0, translation(20, 5)), 0, "target", disc(W, H, 40, 20, 4))
    expect(painted.pairs[0]?.matrix).toBeNull()
    expect(textOf(painted.pairs[0]?.target ?? handle)).toEqual(textOf(disc(W, H, 40, 20, 4)))
  })
})

describe("nudging", () => {
  it("starts a drag where there is none", () => {
    expect(nudge(one(), 0, "target", 10, 0).pairs[0]?.matrix).toEqual(translation(10, 0))
  })

  it("adds to a drag, turned ones too", () => {
    const turned = withMatrix(one(), 0, rotationAbout(0.5, { x: 15, y: 15 }))
    const matrix = nudge(turned, 0, "target", 3, -2).pairs[0]?.matrix
    expect(matrix?.[2]).toBeCloseTo((turned.pairs[0]?.matrix?.[2] ?? 0) + 3, 9)
    expect(matrix?.[5]).toBeCloseTo((turned.pairs[0]?.matrix?.[5] ?? 0) - 2, 9)
  })

  it("moves a painted target without inventing a matrix", () => {
    const painted = withMask(one(), 0, "target", disc(W, H, 40, 20, 4))
    const pair = nudge(painted, 0, "target", 1, 2).pairs[0]
    expect(pair?.matrix).toBeNull()
    expect(textOf(pair?.target ?? handle)).toEqual(textOf(disc(W, H, 41, 22, 4)))
  })

  it("moves the handle on its own layer", () => {
    expect(textOf(nudge(one(), 0, "handle", 1, 0).pairs[0]?.handle ?? handle)).toEqual(
      textOf(disc(W, H, 16, 15, 6)),
    )
  })
})

describe("the list of pairs", () => {
  it("gives every pair a shade of its own, freed ones first", () => {
    const regions = addPair(removePair(named("a", "b", "c"), 1), { name: "d" })
    expect(regions.pairs.map((p) => p.color)).toEqual([0, 2, 1])
  })

  it("keeps the same pair active when another goes or moves", () => {
    const regions = { ...named("a", "b", "c"), selected: 1 }
    expect(removePair(regions, 0).selected).toBe(0)
    expect(removePair(regions, 2).selected).toBe(1)
    const moved = reorderPair(regions, 1, 2)
    expect(ids(moved)).toEqual(["a", "c", "b"])
    expect(moved.selected).toBe(2)
  })

  it("has none active once it is empty", () => {
    expect(removePair(named("a"), 0).selected).toBe(-1)
  })

  it("counts a pair's changes", () => {
    expect(changePair(named("a"), 0, { visible: false }).pairs[0]?.rev).toBe(1)
  })
})

describe("a pasted pair", () => {
  it("lies a little aside and is dragged the same way", () => {
    const scaled = withMatrix(one(), 0, scaleAbout(1.5, 1.5, { x: 15, y: 15 }))
    const copy = pastePair(scaled, scaled.pairs[0] as never, 4).pairs[1]
    expect(textOf(copy?.handle ?? handle)).toEqual(textOf(disc(W, H, 19, 19, 6)))
    expect(copy?.matrix?.[0]).toBe(1.5)
    expect(textOf(copy?.target ?? handle)).toEqual(
      textOf(warpMask(disc(W, H, 19, 19, 6), scaleAbout(1.5, 1.5, { x: 19, y: 19 }))),
    )
    expect(copy?.id).not.toBe(scaled.pairs[0]?.id)
  })

  it("is refused by a picture of another size", () => {
    const other = emptyRegions(W + 1, H)
    expect(pastePair(other, one().pairs[0] as never, 4)).toBe(other)
  })
})

describe("what can be run", () => {
  it("is a pair with a handle and a place to go", () => {
    expect(completePairs(one())).toHaveLength(0)
    expect(completePairs(withMatrix(one(), 0, translation(9, 0)))).toHaveLength(1)
  })

  it("is not a pair dragged off the picture", () => {
    const gone = withMatrix(one(), 0, translation(500, 0))
    expect(isEmpty(gone.pairs[0]?.target ?? handle)).toBe(true)
    expect(completePairs(gone)).toHaveLength(0)
  })

  it("drawings are anything painted, the protected area too", () => {
    expect(hasDrawings(named("a"))).toBe(false)
    expect(hasDrawings(withMask(emptyRegions(W, H), -1, "protect", handle))).toBe(true)
  })
})
