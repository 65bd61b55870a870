import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { bentBy, folds, type Pin, routeMesh } from "../../src/geometry/bend"
import { area, eachRun, has, type Mask } from "../../src/geometry/mask"
import { apply, IDENTITY, type Matrix, translation } from "../../src/geometry/matrix"
import { gather, type Mesh, toSource, toTarget, warpByMesh } from "../../src/geometry/mesh"
import { cornerDragged, perspective } from "../../src/geometry/perspective"
import { warpedCorners, warpMask } from "../../src/geometry/warp"
import { decodeMask } from "../../src/kernel/codec"
import { meshIn } from "../../src/model/mapping"
import { disc } from "../masks"

interface Golden {
  pairs: {
    name: string
    handle: string
    target: string
    matrix: number[] | null
    pins: [number, number, number, number][]
    corners?: [number, number][]
    lattice?: { edges: [number, number, number, number]; columns: number; rows: number; source: string }
    map: [number, number, number, number][]
  }[]
}

const golden: Golden = JSON.parse(
  readFileSync(new URL("../../../tests/golden/bends.json", import.meta.url), "utf8"),
)
const maskFrom = (base64: string) => decodeMask(Uint8Array.from(Buffer.from(base64, "base64")), 200, 150)
const pinsFrom = (rows: [number, number, number, number][]): Pin[] =>
  rows.map(([x, y, toX, toY]) => ({ x, y, toX, toY }))

function meshOf({ handle, matrix, pins, lattice }: Golden["pairs"][0]): Mesh {
  if (!lattice) return routeMesh(maskFrom(handle), matrix as unknown as Matrix, pinsFrom(pins))
  const { source, ...fields } = lattice
  const mesh = meshIn({ pair: "p", rev: 1, ...fields }, [Uint8Array.from(Buffer.from(source, "base64"))])
  if (!mesh) throw new Error("the lattice cannot be read")
  return mesh
}

function common(a: Mask, b: Mask): number {
  let both = 0
  eachRun(a, (y, first, last) => {
    for (let x = first; x <= last; x++) both += Number(has(b, x, y))
  })
  return both / (area(a) + area(b) - both)
}

describe("the map that is drawn is the kernel's", () => {
  for (const pair of golden.pairs) {
    it(`for ${pair.name}`, () => {
      const handle = maskFrom(pair.handle)
      const mesh = meshOf(pair)
      const found = gather(mesh, 200, 150)
      const errors = pair.map.map(([x, y, sx, sy]) => {
        const at = 2 * ((y - found.y0) * found.w + x - found.x0)
        return Math.hypot((found.source[at] as number) - sx, (found.source[at + 1] as number) - sy)
      })
      const mean = errors.reduce((sum, e) => sum + e, 0) / errors.length
      expect(errors.length).toBeGreaterThan(10)
      expect(mean).toBeLessThan(0.25)
      expect(Math.max(...errors)).toBeLessThan(pair.lattice ? 3 : 1)
      // A painted target is what it is, whatever the map leads to.
      if (!pair.lattice) {
        expect(common(warpByMesh(handle, mesh), maskFrom(pair.target))).toBeGreaterThan(0.98)
      }
    })
  }

  it("for the corners of a perspective", () => {
    const pair = golden.pairs.find(({ corners }) => corners)
    const [a, b, c, d] = (pair?.corners ?? []).map(([x, y]) => ({ x, y }))
    if (!pair || !a || !b || !c || !d) throw new Error("no perspective in the golden data")
    const matrix = perspective(maskFrom(pair.handle), [a, b, c, d])
    const { matrix: given } = pair
    const wanted = (given ?? []).map((n) => n / (given?.[8] as number))
    matrix?.forEach((n, i) => {
      expect(n).toBeCloseTo(wanted[i] as number, 3)
    })
    expect(matrix).not.toBeNull()
  })
})

const handle = disc(200, 150, 90, 70, 34)
const pin = (x: number, y: number, toX = x, toY = y): Pin => ({ x, y, toX, toY })

describe("pins", () => {
  it("go where they are pulled, on the mesh too", () => {
    const pins = [pin(60, 70), pin(90, 42), pin(118, 70, 150, 60), pin(90, 98)]
    const mesh = routeMesh(handle, IDENTITY, pins)
    for (const p of pins) {
      expect(bentBy(IDENTITY, pins, Float64Array.of(p.x, p.y))[0]).toBeCloseTo(p.toX, 3)
      expect(toTarget(mesh, p).x).toBeCloseTo(p.toX, 2)
      expect(toTarget(mesh, p).y).toBeCloseTo(p.toY, 2)
      expect(toSource(mesh, { x: p.toX, y: p.toY })?.x).toBeCloseTo(p.x, 1)
    }
    expect(folds(handle, IDENTITY, pins)).toBe(false)
  })

  it("shift, if there is one", () => {
    const moved = warpByMesh(handle, routeMesh(handle, IDENTITY, [pin(90, 70, 95, 60)]))
    expect(common(moved, warpMask(handle, translation(5, -10)))).toBe(1)
  })

  it("fold the region if they change places, or lie on each other", () => {
    expect(
      folds(handle, IDENTITY, [pin(70, 70, 110, 70), pin(110, 70, 70, 70), pin(90, 42), pin(90, 98)]),
    ).toBe(true)
    expect(folds(handle, IDENTITY, [pin(80, 70), pin(81, 70)])).toBe(true)
    expect(folds(handle, IDENTITY, [pin(60, 70), pin(84, 70), pin(120, 70, 40, 70)])).toBe(true)
  })

  it("bend what one pixel wide is", () => {
    const line: Mask = { width: 40, height: 30, x0: 4, y0: 12, w: 1, h: 1, bits: Uint8Array.of(128) }
    expect(area(warpByMesh(line, routeMesh(line, IDENTITY, [pin(4, 12, 20, 9)])))).toBe(1)
  })
})

describe("a mask taken along by a mesh", () => {
  it("is that of the matrix, for a projective one", () => {
    const matrix: Matrix = [1.1, 0.1, -8, 0.05, 0.9, 3, 0.001, 0.0005, 1]
    const mesh = routeMesh(handle, matrix, [])
    expect(common(warpByMesh(handle, mesh), warpMask(handle, matrix))).toBeGreaterThan(0.98)
  })

  it("may be worked out in blocks where it is large", () => {
    const large = disc(3000, 2000, 1500, 1000, 700)
    const mesh = routeMesh(large, IDENTITY, [pin(1000, 1000), pin(2000, 1000, 2100, 900)])
    const coarse = warpByMesh(large, mesh, true)
    expect(common(coarse, warpByMesh(large, mesh))).toBeGreaterThan(0.99)
  })
})

describe("perspective", () => {
  const corners = warpedCorners(handle, IDENTITY)

  it("moves one corner and leaves the others", () => {
    const to = { x: corners[1].x + 20, y: corners[1].y - 8 }
    const matrix = cornerDragged(handle, IDENTITY, 1, to) as Matrix
    corners.forEach((p, i) => {
      expect(apply(matrix, p).x).toBeCloseTo(i === 1 ? to.x : p.x, 6)
      expect(apply(matrix, p).y).toBeCloseTo(i === 1 ? to.y : p.y, 6)
    })
  })

  it("is affine where the corners are those of a parallelogram", () => {
    const [a, b, c, d] = corners.map(({ x, y }) => ({ x: x + 0.3 * y, y })) as [
      (typeof corners)[0],
      (typeof corners)[0],
      (typeof corners)[0],
      (typeof corners)[0],
    ]
    expect(perspective(handle, [a, b, c, d])?.slice(6)).toEqual([0, 0, 1])
  })

  it("stops before it turns over", () => {
    expect(cornerDragged(handle, IDENTITY, 1, { x: corners[3].x - 5, y: corners[3].y + 5 })).toBeNull()
    expect(cornerDragged(handle, IDENTITY, 1, corners[0])).toBeNull()
  })
})
