import { describe, expect, it } from "vitest"
import {
  bounded,
  fitIn,
  LARGEST,
  pan,
  toPicture,
  toScreen,
  wheelScale,
  zoomAt,
} from "../../src/geometry/viewport"

const picture = { width: 400, height: 200 }
const view = { width: 824, height: 624 }

describe("the viewport", () => {
  it("fits the whole picture, centred", () => {
    expect(fitIn(picture, view)).toEqual({ scale: 2, x: 12, y: 112 })
  })

  it("does not blow a small picture up beyond fourfold", () => {
    expect(fitIn({ width: 10, height: 10 }, view).scale).toBe(4)
  })

  it("goes to the picture and back", () => {
    const viewport = { scale: 3.3, x: -17, y: 41 }
    const p = toPicture(viewport, toScreen(viewport, { x: 12, y: 99 }))
    expect(p.x).toBeCloseTo(12, 9)
    expect(p.y).toBeCloseTo(99, 9)
  })

  it("has a pixel's centre in the middle of its square", () => {
    expect(toScreen({ scale: 10, x: 0, y: 0 }, { x: 0, y: 2 })).toEqual({ x: 5, y: 25 })
  })

  it("keeps what lies under the pointer when it zooms", () => {
    const before = fitIn(picture, view)
    const at = { x: 300, y: 200 }
    const after = zoomAt(before, at, before.scale * 1.7)
    const [p, q] = [toPicture(before, at), toPicture(after, at)]
    expect(p.x).toBeCloseTo(q.x, 9)
    expect(p.y).toBeCloseTo(q.y, 9)
  })

  it("stays within its limits", () => {
    expect(zoomAt(fitIn(picture, view), { x: 0, y: 0 }, 1e9).scale).toBe(LARGEST)
  })

  it("never loses the picture", () => {
    const lost = bounded(pan(fitIn(picture, view), 99_999, -99_999), picture, view)
    expect(lost.x).toBe(view.width - 48)
    expect(lost.y).toBe(48 - picture.height * lost.scale)
  })

  it("zooms in when the wheel turns away, by the same factor back", () => {
    expect(wheelScale(1, -100)).toBeGreaterThan(1)
    expect(wheelScale(wheelScale(1, -100), 100)).toBeCloseTo(1, 12)
  })
})
