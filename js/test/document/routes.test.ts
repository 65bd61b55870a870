import { describe, expect, it } from "vitest"
import type { Pair } from "../../src/document/pair"
import { addPair, emptyRegions, withMask } from "../../src/document/regions"
import { Routes } from "../../src/document/routes"
import type { Mesh } from "../../src/geometry/mesh"
import { meshIn } from "../../src/model/mapping"
import { disc } from "../masks"

const [W, H] = [40, 30]
const drawn = withMask(
  withMask(addPair(emptyRegions(W, H)), 0, "handle", disc(W, H, 10, 12, 4)),
  0,
  "target",
  disc(W, H, 28, 12, 6),
)
const repainted = withMask(drawn, 0, "target", disc(W, H, 28, 14, 7))
const pairOf = (regions: typeof drawn) => regions.pairs[0] as Pair
const { id } = pairOf(drawn)
const mesh = (): Mesh => ({ columns: 1, rows: 1, source: new Float64Array(8), target: new Float64Array(8) })

describe("what the kernel tells of a region's way", () => {
  it("belongs to the handle and the target it was worked out for", () => {
    const routes = new Routes()
    routes.follow(drawn, 3)
    const first = mesh()
    expect(routes.take(id, 3, first)).toBe(true)
    expect(routes.of(pairOf(drawn))).toBe(first)
    routes.follow(repainted, 4)
    expect(routes.of(pairOf(repainted))).toBeNull()
    expect(routes.take(id, 3, mesh())).toBe(false)
    // Undone: known at once.
    routes.follow(drawn, 5)
    expect(routes.of(pairOf(drawn))).toBe(first)
  })

  it("may come before the pair", () => {
    const routes = new Routes()
    const first = mesh()
    expect(routes.take(id, 3, first)).toBe(false)
    routes.follow(drawn, 3)
    expect(routes.of(pairOf(drawn))).toBe(first)
  })
})

describe("a lattice", () => {
  const edges = [0, 0, 8, 4] as const
  const buffer = (...numbers: number[]) => new Uint8Array(Float32Array.from(numbers).buffer)
  const message = { pair: "p", rev: 1, edges, columns: 2, rows: 1 }
  const twelve = Array.from({ length: 12 }, (_, i) => i)

  it("is read with the points between its edges", () => {
    const read = meshIn(message, [buffer(...twelve)])
    expect([...(read?.target ?? [])]).toEqual([0, 0, 4, 0, 8, 0, 0, 4, 4, 4, 8, 4])
    expect([...(read?.source ?? [])]).toEqual(twelve)
  })

  it("is refused when its numbers are too few, not finite, or of no sound size", () => {
    expect(meshIn(message, [buffer(1, 2, 3)])).toBeNull()
    expect(meshIn(message, [])).toBeNull()
    expect(meshIn(message, [buffer(...twelve.slice(1), Number.NaN)])).toBeNull()
    expect(meshIn({ ...message, columns: 0 }, [buffer(...twelve)])).toBeNull()
    expect(meshIn({ ...message, columns: 1e9 }, [buffer(...twelve)])).toBeNull()
  })
})
