import { describe, expect, it, vi } from "vitest"
import { emptyMask, has, isEmpty } from "../../src/geometry/mask"
import { translation } from "../../src/geometry/matrix"
import { addPair, changePair, emptyRegions, type Layer, withMask, withMatrix } from "../../src/regions"
import { RegionStore } from "../../src/store"
import { Brush } from "../../src/tools/brush"
import { Ellipse } from "../../src/tools/ellipse"
import { Eraser } from "../../src/tools/eraser"
import { Lasso } from "../../src/tools/lasso"
import { Move } from "../../src/tools/move"
import { Polygon } from "../../src/tools/polygon"
import { Rectangle } from "../../src/tools/rectangle"
import type { Tool, ToolContext, ToolEvent } from "../../src/tools/tool"
import { disc, textOf } from "../helpers"

const [W, H] = [60, 40]
type Held = Partial<Omit<ToolEvent, "x" | "y">>

function setUp(layer: Layer = "handle") {
  const store = new RegionStore()
  store.reset(emptyRegions(W, H))
  const context: ToolContext = {
    store,
    layer,
    brushSize: 10,
    viewport: { scale: 1, x: 0, y: 0 },
    tell: vi.fn(),
  }
  const at = (x: number, y: number, held: Held = {}): ToolEvent => ({
    x,
    y,
    shift: false,
    alt: false,
    secondary: false,
    pressure: 1,
    ...held,
  })
  const drag = (tool: Tool, points: [number, number][], held: Held = {}) => {
    const [first, ...rest] = points as [[number, number], ...[number, number][]]
    tool.press(at(...first, held), context)
    for (const point of rest) tool.drag([at(...point, held)], context)
    tool.release(at(...(points.at(-1) ?? first), held), context)
  }
  const handle = () => store.regions.pairs[store.regions.selected]?.handle ?? emptyMask(W, H)
  return { store, context, at, drag, handle }
}

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
    expect([store.regions.pairs.length, store.canUndo, store.draft]).toEqual([0, false, null])
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
    expect([store.draft, store.canUndo, brush.active]).toEqual([null, false, false])
  })

  it("paints the protected area without any pair", () => {
    const { store, drag } = setUp("protect")
    drag(new Brush(), [[20, 20]])
    expect(textOf(store.regions.protect)).toEqual(textOf(disc(W, H, 20, 20, 5)))
    expect(store.regions.pairs).toHaveLength(0)
  })
})

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
    expect(s.context.tell).toHaveBeenCalledWith("A polygon needs three points")
    expect(s.store.canUndo).toBe(false)
  })
})

describe("moving a region", () => {
  const withHandle = () => {
    const s = setUp()
    s.store.commit(withMask(addPair(s.store.regions), 0, "handle", disc(W, H, 15, 15, 6)))
    return s
  }

  it("carries the handle to its target by an exact matrix, in one undo step", () => {
    const s = withHandle()
    s.drag(new Move(), [
      [15, 15],
      [25, 18],
      [38, 20],
    ])
    expect(s.store.regions.pairs[0]?.matrix).toEqual(translation(23, 5))
    expect(textOf(s.store.regions.pairs[0]?.target ?? s.handle())).toEqual(textOf(disc(W, H, 38, 20, 6)))
    s.store.undo()
    expect(s.store.regions.pairs[0]?.matrix).toBeNull()
  })

  it("goes on from the ghost, and begins anew from the handle", () => {
    const s = withHandle()
    s.store.commit(withMatrix(s.store.regions, 0, translation(20, 0)))
    s.drag(new Move(), [
      [35, 15],
      [40, 15],
    ])
    expect(s.store.regions.pairs[0]?.matrix).toEqual(translation(25, 0))
    s.drag(new Move(), [
      [15, 15],
      [15, 28],
    ])
    expect(s.store.regions.pairs[0]?.matrix).toEqual(translation(0, 13))
  })

  it("shows the ghost while it is dragged, and drops it when cancelled", () => {
    const s = withHandle()
    const move = new Move()
    move.press(s.at(15, 15), s.context)
    move.drag([s.at(20, 15)], s.context)
    expect(s.store.ghost?.matrix).toEqual(translation(5, 0))
    move.cancel(s.context)
    expect([s.store.ghost, s.store.regions.pairs[0]?.matrix]).toEqual([null, null])
  })

  it("makes the pair under the pointer the active one", () => {
    const s = withHandle()
    s.store.commit(withMask(addPair(s.store.regions), 1, "handle", disc(W, H, 45, 25, 5)))
    s.drag(new Move(), [[15, 15]])
    expect(s.store.regions.selected).toBe(0)
  })

  it("moves a painted target as it is", () => {
    const s = withHandle()
    s.store.commit(withMask(s.store.regions, 0, "target", disc(W, H, 40, 15, 4)))
    s.drag(new Move(), [
      [40, 15],
      [42, 20],
    ])
    expect(s.store.regions.pairs[0]?.matrix).toBeNull()
    expect(textOf(s.store.regions.pairs[0]?.target ?? s.handle())).toEqual(textOf(disc(W, H, 42, 20, 4)))
  })

  it("neither moves a locked pair nor one that is hidden", () => {
    for (const fields of [{ locked: true }, { visible: false }]) {
      const s = withHandle()
      s.store.commit(changePair(s.store.regions, 0, fields))
      s.drag(new Move(), [
        [15, 15],
        [40, 15],
      ])
      expect(s.store.regions.pairs[0]?.matrix).toBeNull()
    }
  })
})
