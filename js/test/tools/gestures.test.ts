import { describe, expect, it, vi } from "vitest"
import { addPair, withMask } from "../../src/document/regions"
import { emptyMask } from "../../src/geometry/mask"
import { Brush } from "../../src/tools/brush"
import { Eraser } from "../../src/tools/eraser"
import { Lasso } from "../../src/tools/lasso"
import { Polygon } from "../../src/tools/polygon"
import { Rectangle } from "../../src/tools/rectangle"
import type { Tool } from "../../src/tools/tool"
import { newTools } from "../../src/tools/toolbox"
import { disc, textOf } from "../masks"
import { H, setUp, W } from "./kit"

describe("a gesture that changes nothing", () => {
  it.each([
    [
      "the eraser on nothing",
      new Eraser(),
      [
        [20, 20],
        [30, 20],
      ],
    ],
    [
      "a brush beside the picture",
      new Brush(),
      [
        [-90, 20],
        [-90, 30],
      ],
    ],
    [
      "a lasso beside the picture",
      new Lasso(),
      [
        [-90, 20],
        [-80, 20],
        [-80, 30],
      ],
    ],
    [
      "a rectangle beside the picture",
      new Rectangle(),
      [
        [-90, 20],
        [-80, 30],
      ],
    ],
  ] as [string, Tool, [number, number][]][])("(%s) makes no pair and no undo step", (_name, tool, points) => {
    const { store, drag } = setUp()
    const committed = vi.fn()
    store.committed.on(committed)
    drag(tool, points)
    expect([store.regions.pairs.length, store.canUndo, store.stroke]).toEqual([0, false, null])
    expect(committed).not.toHaveBeenCalled()
  })

  it("(a brush where all is painted) leaves the region and its history alone", () => {
    const { store, drag } = setUp()
    drag(new Brush(), [
      [20, 20],
      [30, 20],
    ])
    const before = store.regions
    drag(new Brush(), [
      [22, 20],
      [28, 20],
    ])
    expect(store.regions).toBe(before)
  })

  it("(a polygon's vertex moved beside the picture) keeps the new outline", () => {
    const { store, context, at } = setUp()
    const tool = new Polygon()
    for (const [x, y] of [
      [-20, 10],
      [20, 10],
      [20, 30],
      [-20, 30],
    ] as const) {
      tool.press(at(x, y), context)
      tool.release(at(x, y), context)
    }
    tool.keyDown("Enter", false, context)
    const drawn = store.regions.pairs[0]
    tool.press(at(-20, 10), context)
    tool.drag([at(-24, 10)], context)
    tool.release(at(-24, 10), context)
    expect(store.regions.pairs[0]?.outlines.handle?.points[0]).toEqual({ x: -24, y: 10 })
    expect(textOf(store.regions.pairs[0]?.handle ?? emptyMask(W, H))).toEqual(
      textOf(drawn?.handle ?? emptyMask(W, H)),
    )
  })
})

describe("the end of a gesture", () => {
  const tools = newTools().filter(({ id }) => id !== "polygon" && id !== "magnetic") // those go on until they are closed
  it.each(tools.map((tool) => [tool.id, tool] as const))(
    "(%s) is told once the tool is at rest, so that hints come back",
    (_id, tool) => {
      const { store, drag } = setUp()
      store.commit(withMask(addPair(store.regions), 0, "handle", disc(W, H, 15, 15, 6)))
      let atWork: boolean | undefined
      store.changed.on(() => {
        atWork = tool.active
      })
      drag(tool, [
        [15, 15],
        [25, 20],
        [30, 30],
      ])
      expect([tool.active, atWork ?? false]).toEqual([false, false])
    },
  )
})
