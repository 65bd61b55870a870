import { describe, expect, it } from "vitest"
import { addPair, withMask } from "../../src/document/regions"
import { area, has } from "../../src/geometry/mask"
import { MagneticLasso } from "../../src/tools/magnetic"
import type { ToolContext } from "../../src/tools/tool"
import { disc } from "../masks"
import { H, setUp, W } from "./kit"

/** A kernel whose ways go first across and then down. */
function open() {
  const s = setUp()
  const select: ToolContext["select"] = {
    ask: async (_how, { points = [] } = {}) => {
      const [from, to] = points
      if (!from || !to) return null
      return { mask: disc(W, H, 0, 0, 0), path: [{ x: to.x, y: from.y }, to] }
    },
    isAsking: () => false,
  }
  const context = { ...s.context, select }
  const tool = new MagneticLasso()
  const tap = (x: number, y: number, held = {}) => {
    tool.press(s.at(x, y, held), context)
    tool.release()
  }
  const settle = () => new Promise((done) => setTimeout(done))
  return { ...s, context, tool, tap, settle }
}

describe("the magnetic lasso", () => {
  it("encloses what its ways go round, in one undo step", async () => {
    const s = open()
    s.tap(10, 10)
    s.tap(40, 30)
    s.tool.keyDown("Enter", false, s.context)
    await s.settle()
    // Across and down, across and up: a rectangle, and not the line that straight ways would make.
    expect(area(s.handle())).toBeGreaterThan(500)
    expect(has(s.handle(), 25, 20)).toBe(true)
    s.store.undo()
    expect(s.store.canUndo).toBe(false)
  })

  it("takes the last anchor back by Backspace, and by undo", async () => {
    const s = open()
    s.tap(10, 10)
    s.tap(40, 30)
    s.tap(55, 5)
    expect(s.tool.keyDown("Backspace", false, s.context)).toBe(true)
    s.tool.doublePress(s.at(40, 30), s.context)
    await s.settle()
    expect(s.store.canUndo).toBe(false)
    s.tap(10, 10)
    expect(s.tool.keyDown("undo", false, s.context)).toBe(true)
    expect(s.tool.active).toBe(false)
    expect(s.tool.keyDown("undo", false, s.context)).toBe(false)
  })

  it("closes by a double click, whose second press sets no anchor", async () => {
    const s = open()
    s.tap(10, 10)
    s.tap(40, 30)
    s.tap(40, 30)
    s.tool.doublePress(s.at(40, 30), s.context)
    await s.settle()
    expect(has(s.handle(), 25, 20)).toBe(true)
  })

  it("cuts if it began with Alt", async () => {
    const s = open()
    s.store.commit(withMask(addPair(s.store.regions), 0, "handle", disc(W, H, 25, 20, 15)))
    s.tap(10, 10, { alt: true })
    s.tap(40, 30)
    s.tool.keyDown("Enter", false, s.context)
    await s.settle()
    expect([has(s.handle(), 25, 20), has(s.handle(), 25, 34)]).toEqual([false, true])
  })

  it("stays straight without an answer, and is dropped when cancelled", async () => {
    const s = open()
    const silent = { ...s.context, select: { ask: async () => null, isAsking: () => false } }
    for (const [x, y] of [
      [10, 10],
      [40, 10],
      [40, 30],
    ] as const)
      s.tool.press(s.at(x, y), silent)
    s.tool.keyDown("Enter", false, silent)
    await s.settle()
    expect(has(s.handle(), 35, 15)).toBe(true)
    s.tap(5, 5)
    s.tool.cancel(s.context)
    expect(s.tool.active).toBe(false)
  })

  it("keeps its anchors inside the picture", async () => {
    const s = open()
    s.tap(-20, -20)
    s.tap(W + 20, H + 20)
    s.tool.keyDown("Enter", false, s.context)
    await s.settle()
    expect(area(s.handle())).toBeGreaterThan((W - 1) * (H - 1) - 1)
  })
})
