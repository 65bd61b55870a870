import { describe, expect, it } from "vitest"
import { addPair, changePair } from "../../src/document/regions"
import { has, isEmpty } from "../../src/geometry/mask"
import { Brush } from "../../src/tools/brush"
import { Eraser } from "../../src/tools/eraser"
import { disc, textOf } from "../masks"
import { H, setUp, W } from "./kit"

describe("the brush", () => {
  it("makes the first pair by itself, in one undo step", () => {
    const { store, drag, handle } = setUp()
    drag(new Brush(), [[20, 20]])
    expect(textOf(handle())).toEqual(textOf(disc(W, H, 20, 20, 5)))
    store.undo()
    expect(store.regions.pairs).toHaveLength(0)
    expect(store.canUndo).toBe(false)
  })

  it("erases with the right button, as the eraser does with the left", () => {
    for (const [tool, held] of [
      [new Brush(), { secondary: true }],
      [new Eraser(), {}],
    ] as const) {
      const { drag, handle } = setUp()
      drag(new Brush(), [
        [20, 20],
        [30, 20],
      ])
      drag(tool, [[30, 20]], held)
      expect([has(handle(), 20, 20), has(handle(), 30, 20)]).toEqual([true, false])
    }
  })

  it("is thinner under a light pen", () => {
    const { drag, handle } = setUp()
    drag(new Brush(), [[20, 20]], { pressure: 0.25 })
    expect(handle().w).toBeLessThan(8)
    expect(handle().w).toBeGreaterThan(2)
  })

  it("keeps a straight line with Shift", () => {
    const { drag, handle } = setUp()
    drag(
      new Brush(),
      [
        [15, 20],
        [40, 23],
      ],
      { shift: true },
    )
    expect(handle().h).toBe(11)
  })

  it("leaves a locked pair alone", () => {
    const { store, drag } = setUp()
    store.commit(changePair(addPair(store.regions), 0, { locked: true }))
    drag(new Brush(), [[20, 20]])
    expect(isEmpty(store.regions.pairs[0]?.handle ?? disc(W, H, 1, 1, 1))).toBe(true)
  })

  it("cancelled leaves no trace and no undo step", () => {
    const { store, context, at } = setUp()
    const brush = new Brush()
    brush.press(at(20, 20), context)
    brush.cancel(context)
    expect([store.stroke, store.canUndo, brush.active]).toEqual([null, false, false])
  })

  it("paints the protected area without any pair", () => {
    const { store, drag } = setUp("protect")
    drag(new Brush(), [[20, 20]])
    expect(textOf(store.regions.protect)).toEqual(textOf(disc(W, H, 20, 20, 5)))
    expect(store.regions.pairs).toHaveLength(0)
  })
})
