import { describe, expect, it } from "vitest"
import type { Pair } from "../../src/document/pair"
import { allCarried, carriedOf, pairAt, placementKey } from "../../src/document/placement"
import { addPair, emptyRegions, withMask, withMatrix } from "../../src/document/regions"
import { area, isEmpty } from "../../src/geometry/mask"
import { apply, type Matrix, type Point, translation } from "../../src/geometry/matrix"
import { toTarget, warpByMesh } from "../../src/geometry/mesh"
import { disc, textOf } from "../masks"

const [W, H] = [40, 30]
const handle = disc(W, H, 10, 12, 4)
const drawn = withMask(addPair(emptyRegions(W, H)), 0, "handle", handle)
const dragged = withMatrix(drawn, 0, translation(12, 3))
const painted = withMask(drawn, 0, "target", disc(W, H, 28, 12, 8))
const nothing = { of: () => null }
const still = { stroke: null, ghost: null, findings: nothing, routes: nothing }
const pairOf = (regions: typeof drawn) => regions.pairs[0] as Pair
const ghostOf = (pair: Pair, matrix: Matrix, isPainted = false) => ({
  pairId: pair.id,
  matrix,
  painted: isPainted,
})

describe("a pair's pixels", () => {
  it("go nowhere without a handle or a place", () => {
    expect(carriedOf(pairOf(addPair(emptyRegions(W, H))), still)).toBeNull()
    expect(carriedOf(pairOf(drawn), still)).toBeNull()
  })

  it("go where the matrix takes them, with no target to limit them", () => {
    const carried = carriedOf(pairOf(dragged), still)
    expect(carried).toEqual({
      mask: handle,
      target: null,
      matrix: translation(12, 3),
      along: null,
      mesh: null,
      copied: false,
    })
  })

  it("are those of the object, once that is known", () => {
    const mask = disc(W, H, 10, 12, 2)
    const findings = { of: () => ({ verdict: "object", words: "", mask, larger: null }) }
    expect(carriedOf(pairOf(dragged), { ...still, findings })?.mask).toBe(mask)
  })

  it("go by a mesh under a projective matrix", () => {
    const tilted = withMatrix(drawn, 0, [1, 0, 10, 0, 1, 0, 0.001, 0, 1])
    const mesh = carriedOf(pairOf(tilted), still)?.mesh
    if (!mesh) throw new Error("no mesh")
    expect(Math.abs(area(warpByMesh(handle, mesh)) - area(pairOf(tilted).target))).toBeLessThan(3)
  })

  it("go by the pins under the pointer", () => {
    const pins = [{ x: handle.x0 + 2, y: handle.y0 + 2, toX: handle.x0 + 9, toY: handle.y0 + 4 }]
    const ghost = { ...ghostOf(pairOf(dragged), translation(12, 3)), pins }
    const mesh = carriedOf(pairOf(dragged), { ...still, ghost })?.mesh
    expect(mesh && toTarget(mesh, pins[0] as Point).x).toBeCloseTo(handle.x0 + 9, 6)
    expect(pairAt(pairOf(dragged), ghost).pins).toBe(pins)
  })

  it("go from box to box where the target was painted", () => {
    const { target } = pairOf(painted)
    const carried = carriedOf(pairOf(painted), still)
    expect(carried?.target).toBe(target)
    const corner = apply(carried?.matrix as Matrix, { x: handle.x0 - 0.5, y: handle.y0 - 0.5 })
    expect([corner.x, corner.y]).toEqual([target.x0 - 0.5, target.y0 - 0.5])
  })

  it("follow the ghost under the pointer, a painted target and all that lands in it too", () => {
    const moved = translation(5, 1)
    const byMatrix = { ...still, ghost: ghostOf(pairOf(dragged), moved) }
    expect(carriedOf(pairOf(dragged), byMatrix)?.matrix).toEqual(moved)
    const asPainted = { ...still, ghost: ghostOf(pairOf(painted), moved, true) }
    expect(carriedOf(pairOf(painted), asPainted)?.along).toBe(moved)
  })

  it("are not shown while one of the pair's masks is being painted", () => {
    const { id } = pairOf(dragged)
    const stroke = (pairId: string, layer: "handle" | "protect") => ({
      ...still,
      stroke: { pairId, layer },
    })
    expect(allCarried(dragged, stroke(id, "handle"))).toEqual([])
    expect(allCarried(dragged, stroke("another", "handle"))).toHaveLength(1)
    expect(allCarried(dragged, stroke("", "protect"))).toHaveLength(1)
  })
})

describe("a pair let go at its ghost", () => {
  it("has the ghost's matrix, in whole pixels, and a target still to be worked out", () => {
    const pair = pairAt(pairOf(dragged), ghostOf(pairOf(dragged), translation(4.6, 0)))
    expect([pair.matrix, isEmpty(pair.target)]).toEqual([translation(5, 0), true])
  })

  it("keeps a painted target, moved", () => {
    const pair = pairAt(pairOf(painted), ghostOf(pairOf(painted), translation(2, 3), true))
    expect(pair.matrix).toBeNull()
    expect(textOf(pair.target)).toEqual(textOf(disc(W, H, 30, 15, 8)))
  })

  it("is the same pair if the ghost is another's, or there is none", () => {
    const pair = pairOf(dragged)
    expect(pairAt(pair, { ...ghostOf(pair, translation(1, 1)), pairId: "another" })).toBe(pair)
    expect(pairAt(pair, null)).toBe(pair)
  })
})

describe("the key of a placement", () => {
  it("is the same as long as everything is in the same place, and another one elsewhere", () => {
    const at = (dx: number) => placementKey(dragged, ghostOf(pairOf(dragged), translation(dx, 3)))
    expect(at(12)).toBe(placementKey(dragged, null))
    expect(at(13)).not.toBe(at(12))
  })
})
