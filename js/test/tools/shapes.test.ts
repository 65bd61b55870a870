import { describe, expect, it } from "vitest"
import { has } from "../../src/geometry/mask"
import { Ellipse } from "../../src/tools/ellipse"
import { Lasso } from "../../src/tools/lasso"
import { Rectangle } from "../../src/tools/rectangle"
import { setUp } from "./kit"

describe("shapes", () => {
  it("span the box between press and release", () => {
    const { drag, handle } = setUp()
    drag(new Rectangle(), [
      [30, 25],
      [10, 5],
    ])
    expect(handle()).toMatchObject({ x0: 10, y0: 5, w: 21, h: 21 })
  })

  it("are square or round with Shift", () => {
    const { drag, handle } = setUp()
    drag(
      new Ellipse(),
      [
        [10, 5],
        [30, 9],
      ],
      { shift: true },
    )
    expect(handle()).toMatchObject({ w: 21, h: 21 })
  })

  it("add to what there is, and cut from it with Alt", () => {
    const { drag, handle } = setUp()
    drag(new Rectangle(), [
      [5, 5],
      [15, 15],
    ])
    drag(new Rectangle(), [
      [25, 5],
      [35, 15],
    ])
    drag(
      new Rectangle(),
      [
        [8, 8],
        [12, 12],
      ],
      { alt: true },
    )
    expect(
      [
        [6, 6],
        [30, 10],
        [10, 10],
        [20, 10],
      ].map(([x, y]) => has(handle(), x as number, y as number)),
    ).toEqual([true, true, false, false])
  })

  it("take no step for a mere click", () => {
    const { store, drag } = setUp()
    drag(new Rectangle(), [[5, 5]])
    expect(store.canUndo).toBe(false)
  })
})

describe("the lasso", () => {
  it("fills what it goes round", () => {
    const { drag, handle } = setUp()
    drag(new Lasso(), [
      [10, 10],
      [30, 10],
      [30, 30],
      [10, 30],
    ])
    expect([has(handle(), 20, 20), has(handle(), 35, 20)]).toEqual([true, false])
  })
})
