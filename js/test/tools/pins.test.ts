import { describe, expect, it } from "vitest"
import { addPair, changePair, emptyRegions, withMask } from "../../src/document/regions"
import { area, has } from "../../src/geometry/mask"
import { translation } from "../../src/geometry/matrix"
import { Move } from "../../src/tools/move"
import { Pins } from "../../src/tools/pins"
import { disc } from "../masks"
import { H, setUp, W } from "./kit"

function drawn() {
  const s = setUp()
  // Enlarged, so that the pins are far from each other on the screen.
  Object.assign(s.context, { viewport: { scale: 4, x: 0, y: 0 } })
  s.store.reset(withMask(addPair(emptyRegions(W, H)), 0, "handle", disc(W, H, 20, 20, 10)))
  const pair = () => s.store.regions.pairs[0] as NonNullable<(typeof s.store.regions.pairs)[0]>
  return { ...s, pair, tool: new Pins() }
}

describe("the pins tool", () => {
  it("puts a pin with a click, and the region stays", () => {
    const { drag, tool, pair } = drawn()
    drag(tool, [[15, 20]])
    expect(pair().pins).toEqual([{ x: 15, y: 20, toX: 15, toY: 20 }])
    expect(area(pair().target)).toBe(area(pair().handle))
  })

  it("pulls a pin, bends the region, and the others hold", () => {
    const { drag, tool, pair } = drawn()
    for (const p of [
      [12, 20],
      [20, 12],
      [20, 28],
    ] as [number, number][])
      drag(tool, [p])
    drag(tool, [
      [28, 20],
      [33, 18],
    ])
    expect(pair().pins.map(({ toX, toY }) => [toX, toY])).toEqual([
      [12, 20],
      [20, 12],
      [20, 28],
      [33, 18],
    ])
    expect(has(pair().target, 33, 18)).toBe(true)
    expect(has(pair().target, 12, 20)).toBe(true)
    expect(pair().matrix).not.toBeNull()
  })

  it("pulls a pin that is there, in one undo step each", () => {
    const { drag, tool, pair, store } = drawn()
    drag(tool, [[12, 20]])
    drag(tool, [[28, 20]])
    drag(tool, [
      [28, 20],
      [30, 24],
      [31, 26],
    ])
    expect(pair().pins[1]).toEqual({ x: 28, y: 20, toX: 31, toY: 26 })
    store.undo()
    expect(pair().pins[1]).toEqual({ x: 28, y: 20, toX: 28, toY: 20 })
    store.undo()
    expect(pair().pins).toHaveLength(1)
    store.undo()
    expect(pair().pins).toHaveLength(0)
    store.redo()
    expect(pair().pins).toHaveLength(1)
  })

  it("stops a pin before the region folds", () => {
    const { drag, tool, pair } = drawn()
    drag(tool, [[12, 20]])
    drag(tool, [[20, 20]])
    drag(tool, [
      [28, 20],
      [20, 20],
      [8, 20],
    ])
    const { toX } = pair().pins[2] as { toX: number }
    expect(toX).toBeGreaterThan(20)
    expect(toX).toBeLessThan(28)
  })

  it("removes the chosen pin with Delete, and one with Alt", () => {
    const { drag, tool, pair, context, store } = drawn()
    drag(tool, [[12, 20]])
    drag(tool, [[28, 20]])
    expect(tool.keyDown("Delete", false, context)).toBe(true)
    expect(pair().pins.map(({ x }) => x)).toEqual([12])
    // The key must not go on to remove the pair.
    expect(tool.keyDown("Delete", false, context)).toBe(true)
    expect(store.regions.pairs).toHaveLength(1)
    drag(tool, [[12, 20]], { alt: true })
    expect(pair().pins).toEqual([])
    expect(tool.keyDown("Delete", false, context)).toBe(false)
    store.undo()
    expect(pair().pins).toHaveLength(1)
  })

  it("moves the chosen pin with the arrow keys", () => {
    const { drag, tool, pair, context } = drawn()
    drag(tool, [[12, 20]])
    expect(tool.keyDown("ArrowRight", false, context)).toBe(true)
    expect(tool.keyDown("ArrowUp", true, context)).toBe(true)
    expect(pair().pins).toEqual([{ x: 12, y: 20, toX: 13, toY: 10 }])
  })

  it("refuses a locked pair, a painted target, a dense map and the empty picture", () => {
    const { drag, tool, pair, context, store } = drawn()
    drag(tool, [[50, 35]])
    expect(context.notify).toHaveBeenLastCalledWith(expect.stringContaining("No region here"))
    store.commit(changePair(store.regions, 0, { locked: true }))
    drag(tool, [[12, 20]])
    expect(context.notify).toHaveBeenLastCalledWith("Pair 1 is locked")
    store.commit(changePair(store.regions, 0, { locked: false, visible: false }))
    drag(tool, [[12, 20]])
    expect(context.notify).toHaveBeenLastCalledWith(expect.stringContaining("No region here"))
    store.commit(changePair(store.regions, 0, { visible: true, target: disc(W, H, 45, 20, 8) }))
    drag(tool, [[45, 20]])
    expect(context.notify).toHaveBeenLastCalledWith(expect.stringContaining("painted target"))
    store.commit(changePair(store.regions, 0, { dense: "abc" }))
    drag(tool, [[45, 20]])
    expect(context.notify).toHaveBeenLastCalledWith(expect.stringContaining("dense map"))
    expect(pair().pins).toEqual([])
  })

  it("is put back by Escape", () => {
    const { tool, pair, context, store, at } = drawn()
    tool.press(at(12, 20), context)
    tool.drag([at(16, 24)], context)
    expect(store.ghost?.pins).toHaveLength(1)
    tool.cancel(context)
    expect(store.ghost).toBeNull()
    expect(pair().pins).toEqual([])
  })
})

describe("a bent region", () => {
  it("goes along with the move tool, pins and all", () => {
    const { drag, tool, pair } = drawn()
    drag(tool, [[12, 20]])
    drag(tool, [
      [28, 20],
      [30, 24],
    ])
    const before = area(pair().target)
    drag(new Move(), [
      [20, 20],
      [30, 22],
    ])
    expect(pair().matrix).toEqual(translation(10, 2))
    expect(pair().pins).toEqual([
      { x: 12, y: 20, toX: 22, toY: 22 },
      { x: 28, y: 20, toX: 40, toY: 26 },
    ])
    expect(area(pair().target)).toBe(before)
  })

  it("loses the pins whose part of the handle is erased", () => {
    const { drag, tool, pair, store } = drawn()
    drag(tool, [[12, 20]])
    drag(tool, [[28, 20]])
    store.commit(withMask(store.regions, 0, "handle", disc(W, H, 24, 20, 6)))
    expect(pair().pins.map(({ x }) => x)).toEqual([28])
  })

  it("is straight again once its target is painted", () => {
    const { drag, tool, pair, store } = drawn()
    drag(tool, [[12, 20]])
    store.commit(withMask(store.regions, 0, "target", disc(W, H, 45, 20, 8)))
    expect(pair().pins).toEqual([])
  })

  it("is dragged by a corner in perspective, with Ctrl", () => {
    const { drag, pair } = drawn()
    drag(new Move(), [
      [20, 20],
      [26, 20],
    ])
    drag(
      new Move(),
      [
        [36.5, 9.5],
        [40, 4],
      ],
      { ctrl: true },
    )
    const matrix = pair().matrix
    expect(Math.abs(matrix?.[6] ?? 0) + Math.abs(matrix?.[7] ?? 0)).toBeGreaterThan(1e-4)
  })
})
