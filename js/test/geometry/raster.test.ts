import { describe, expect, it } from "vitest"
import { area, has } from "../../src/geometry/mask"
import { fillCapsule, fillEllipse, fillPolygon, fillRectangle, fillStroke } from "../../src/geometry/raster"
import { disc, drawn, textOf } from "../masks"

describe("a stroke", () => {
  it("of one dab is a disc", () => {
    const mask = drawn(40, 40, (span) => fillStroke([{ x: 20, y: 19, r: 7.5 }], span))
    expect(textOf(mask)).toEqual(textOf(disc(40, 40, 20, 19, 7.5)))
  })

  it("covers exactly what lies within the radius of its path", () => {
    const [a, b, r] = [{ x: 8.3, y: 9.1 }, { x: 30.2, y: 24.7 }, 5.4] as const
    const mask = drawn(44, 40, (span) => fillCapsule({ ...a, r }, { ...b, r }, span))
    const d = { x: b.x - a.x, y: b.y - a.y }
    for (let y = 0; y < 40; y++) {
      for (let x = 0; x < 44; x++) {
        const t = Math.min(1, Math.max(0, ((x - a.x) * d.x + (y - a.y) * d.y) / (d.x ** 2 + d.y ** 2)))
        const distance = Math.hypot(x - a.x - t * d.x, y - a.y - t * d.y)
        if (Math.abs(distance - r) > 1e-6) expect(has(mask, x, y), `${x},${y}`).toBe(distance < r)
      }
    }
  })

  it("whose width changes is the hull of its ends", () => {
    const mask = drawn(50, 30, (span) => fillCapsule({ x: 10, y: 15, r: 9 }, { x: 40, y: 15, r: 2 }, span))
    const heights = [10, 20, 30, 40].map((x) => textOf(mask).filter((row) => row[x] === "#").length)
    expect(heights[0]).toBe(19)
    expect(heights[3]).toBe(5)
    expect(heights).toEqual([...heights].sort((a, b) => b - a))
  })

  it("inside a wider dab adds nothing", () => {
    const mask = drawn(40, 40, (span) => fillCapsule({ x: 20, y: 20, r: 9 }, { x: 22, y: 20, r: 3 }, span))
    expect(textOf(mask)).toEqual(textOf(disc(40, 40, 20, 20, 9)))
  })

  it("that turns sharply leaves no hole", () => {
    const dabs = [
      { x: 10, y: 10, r: 4 },
      { x: 30, y: 12, r: 4 },
      { x: 11, y: 14, r: 4 },
      { x: 30, y: 17, r: 4 },
    ]
    const rows = textOf(drawn(40, 28, (span) => fillStroke(dabs, span)))
    for (const row of rows.slice(8, 18)) expect(row.replaceAll(/^\.+|\.+$/g, "")).not.toContain(".")
  })
})

describe("a polygon", () => {
  it("holds the pixels whose centres it holds", () => {
    const square = [
      { x: 0.5, y: 0.5 },
      { x: 3.5, y: 0.5 },
      { x: 3.5, y: 2.5 },
      { x: 0.5, y: 2.5 },
    ]
    expect(textOf(drawn(6, 4, (span) => fillPolygon(square, span)))).toEqual([
      "......",
      ".###..",
      ".###..",
      "......",
    ])
  })

  it("is the same drawn either way round", () => {
    const points = [
      { x: 2, y: 1 },
      { x: 17, y: 4 },
      { x: 9, y: 13 },
    ]
    const one = drawn(20, 16, (span) => fillPolygon(points, span))
    const other = drawn(20, 16, (span) => fillPolygon([...points].reverse(), span))
    expect(textOf(one)).toEqual(textOf(other))
    expect(area(one)).toBeGreaterThan(60)
  })

  it("that overlaps itself stays filled", () => {
    const loop = [0, 72, 144, 216, 288, 360, 432, 504, 576, 648].map((degrees) => ({
      x: 20 + 12 * Math.cos((degrees * Math.PI) / 180),
      y: 20 + 12 * Math.sin((degrees * Math.PI) / 180),
    }))
    expect(
      has(
        drawn(40, 40, (span) => fillPolygon(loop, span)),
        20,
        20,
      ),
    ).toBe(true)
  })

  it("of two points is nothing", () => {
    expect(
      area(
        drawn(9, 9, (span) =>
          fillPolygon(
            [
              { x: 1, y: 1 },
              { x: 7, y: 7 },
            ],
            span,
          ),
        ),
      ),
    ).toBe(0)
  })
})

describe("boxes", () => {
  it("a rectangle holds both its corners, in whatever order", () => {
    const rows = textOf(drawn(7, 5, (span) => fillRectangle({ x: 4.2, y: 3.4 }, { x: 1.3, y: 0.6 }, span)))
    expect(rows).toEqual([".......", ".####..", ".####..", ".####..", "......."])
  })

  it("an ellipse touches the sides of its box and is as large as it should be", () => {
    const mask = drawn(80, 60, (span) => fillEllipse({ x: 10, y: 5 }, { x: 70, y: 45 }, span))
    expect(mask).toMatchObject({ x0: 10, y0: 5, w: 61, h: 41 })
    expect(area(mask) / (Math.PI * 30 * 20)).toBeCloseTo(1, 1)
  })

  it("an ellipse thinner than a pixel is a line", () => {
    expect(area(drawn(20, 5, (span) => fillEllipse({ x: 2, y: 2 }, { x: 12, y: 2.3 }, span)))).toBe(11)
  })
})
