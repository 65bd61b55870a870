import { describe, expect, it } from "vitest"
import { has, isEmpty } from "../../src/geometry/mask"
import { Brush } from "../../src/tools/brush"
import { Polygon } from "../../src/tools/polygon"
import { setUp } from "./kit"

describe("the polygon", () => {
  const corners: [number, number][] = [
    [10, 10],
    [40, 10],
    [40, 30],
    [10, 30],
  ]
  const draw = (s: ReturnType<typeof setUp>) => {
    const polygon = new Polygon()
    for (const [x, y] of corners) {
      polygon.press(s.at(x, y), s.context)
      polygon.release(s.at(x, y), s.context)
    }
    return polygon
  }

  it("closes with Enter, in one undo step", () => {
    const s = setUp()
    const polygon = draw(s)
    expect(polygon.keyDown("Enter", false, s.context)).toBe(true)
    expect(has(s.handle(), 25, 20)).toBe(true)
    s.store.undo()
    expect(isEmpty(s.handle())).toBe(true)
  })

  it("closes with a click on its first point", () => {
    const s = setUp()
    const polygon = draw(s)
    polygon.press(s.at(11, 11), s.context)
    expect([polygon.active, has(s.handle(), 25, 20)]).toEqual([false, true])
  })

  it("takes its last point back", () => {
    const s = setUp()
    const polygon = draw(s)
    polygon.keyDown("Backspace", false, s.context)
    polygon.keyDown("Enter", false, s.context)
    expect([has(s.handle(), 35, 15), has(s.handle(), 15, 27)]).toEqual([true, false])
  })

  it("moves a vertex afterwards, on the mask that lay beneath", () => {
    const s = setUp()
    s.drag(new Brush(), [[50, 35]])
    const polygon = draw(s)
    polygon.keyDown("Enter", false, s.context)
    polygon.press(s.at(40, 30), s.context)
    polygon.drag([s.at(20, 20)], s.context)
    polygon.release(s.at(20, 20), s.context)
    expect([has(s.handle(), 37, 27), has(s.handle(), 15, 15), has(s.handle(), 50, 35)]).toEqual([
      false,
      true,
      true,
    ])
    s.store.undo()
    expect(has(s.handle(), 37, 27)).toBe(true)
  })

  it("gains a vertex in the middle of a side and loses one with Alt", () => {
    const s = setUp()
    const polygon = draw(s)
    polygon.keyDown("Enter", false, s.context)
    s.drag(polygon, [
      [25, 30],
      [25, 38],
    ])
    expect(has(s.handle(), 25, 35)).toBe(true)
    s.drag(polygon, [[25, 38]], { alt: true })
    expect(has(s.handle(), 25, 35)).toBe(false)
  })

  it("is baked in once something else is drawn on its layer", () => {
    const s = setUp()
    draw(s).keyDown("Enter", false, s.context)
    expect(s.store.regions.pairs[0]?.outlines.handle).toBeDefined()
    s.drag(new Brush(), [[50, 35]])
    expect(s.store.regions.pairs[0]?.outlines.handle).toBeUndefined()
  })

  it("of two points is no polygon, and says so", () => {
    const s = setUp()
    const polygon = new Polygon()
    for (const [x, y] of corners.slice(0, 2)) polygon.press(s.at(x, y), s.context)
    polygon.keyDown("Enter", false, s.context)
    expect(s.context.notify).toHaveBeenCalledWith("A polygon needs three points")
    expect(s.store.canUndo).toBe(false)
  })
})
