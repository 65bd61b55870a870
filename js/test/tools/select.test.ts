import { describe, expect, it, vi } from "vitest"
import { addPair, changePair, withMask, withMatrix } from "../../src/document/regions"
import { emptyMask, type Mask } from "../../src/geometry/mask"
import { translation } from "../../src/geometry/matrix"
import type { Question, Selection } from "../../src/model/selecting"
import { Select } from "../../src/tools/select"
import type { ToolContext } from "../../src/tools/tool"
import { Wand } from "../../src/tools/wand"
import { disc, textOf } from "../masks"
import { H, setUp, W } from "./kit"

/** A kernel that answers when it is told to; the newest request of a kind makes the older ones void. */
function kernel() {
  const asked: { how: string; question: Question; answer: (mask: Mask | null) => Promise<void> }[] = []
  const select: ToolContext["select"] = {
    ask: (how, question = {}) =>
      new Promise((done) => {
        const answer = async (mask: Mask | null) => {
          done(mask && ({ mask, path: [] } satisfies Selection))
          await Promise.resolve()
        }
        asked.push({ how, question, answer })
      }),
    isAsking: () => false,
  }
  return { asked, select, last: () => asked.at(-1) as (typeof asked)[number] }
}

function open(layer: "handle" | "target" | "protect" = "handle") {
  const s = setUp(layer)
  const k = kernel()
  return { ...s, ...k, context: { ...s.context, select: k.select } }
}

type Opened = ReturnType<typeof open>

function click(s: Opened, tool: Select, x: number, y: number, held = {}) {
  tool.press(s.at(x, y, held), s.context)
  tool.release(s.at(x, y, held), s.context)
}

const THING = disc(W, H, 15, 15, 6)
const OTHER = disc(W, H, 45, 25, 5)

describe("a click", () => {
  it("takes the thing under it, in one undo step", async () => {
    const s = open()
    click(s, new Select(), 15, 15)
    expect(s.last()).toMatchObject({ how: "click", question: { points: [{ x: 15, y: 15 }], labels: [true] } })
    // A mask would be taken for one to adjust.
    expect(Object.keys(s.last().question).sort()).toEqual(["labels", "margin", "points"])
    await s.last().answer(THING)
    expect(textOf(s.handle())).toEqual(textOf(THING))
    s.store.undo()
    expect([s.store.regions.pairs.length, s.store.canUndo]).toEqual([0, false])
  })

  it("takes another thing instead while the first has no place yet", async () => {
    const s = open()
    const tool = new Select()
    click(s, tool, 15, 15)
    await s.last().answer(THING)
    click(s, tool, 45, 25)
    await s.last().answer(OTHER)
    expect(s.store.regions.pairs).toHaveLength(1)
    expect(textOf(s.handle())).toEqual(textOf(OTHER))
  })

  it("begins another pair once the first has its place, or is to be removed", async () => {
    for (const place of [translation(20, 0), null]) {
      const s = open()
      const tool = new Select()
      click(s, tool, 15, 15)
      await s.last().answer(THING)
      const { regions } = s.store
      s.store.commit(place ? withMatrix(regions, 0, place) : changePair(regions, 0, { action: "remove" }))
      click(s, tool, 45, 25)
      await s.last().answer(OTHER)
      expect(s.store.regions.pairs.map(({ handle }) => textOf(handle))).toEqual([
        textOf(THING),
        textOf(OTHER),
      ])
    }
  })

  it("says so where nothing is selected, and changes nothing", async () => {
    const s = open()
    click(s, new Select(), 15, 15)
    await s.last().answer(emptyMask(W, H))
    expect(s.context.notify).toHaveBeenCalledWith("Nothing is selected here")
    expect(s.store.canUndo).toBe(false)
  })

  it("selects on the layer that is painted", async () => {
    const s = open("protect")
    click(s, new Select(), 15, 15)
    expect(s.last().question.margin).toBeUndefined()
    await s.last().answer(THING)
    expect(textOf(s.store.regions.protect)).toEqual(textOf(THING))
    expect(s.store.regions.pairs).toHaveLength(0)
  })

  it("asks for some ground around the thing where that is to be a handle, but not to cut it away", () => {
    const s = open()
    click(s, new Select(), 15, 15, { shift: true })
    expect(s.last().question.margin).toBe(true)
    click(s, new Select(), 15, 15, { alt: true })
    expect(s.last().question.margin).toBeUndefined()
  })
})

describe("clicks with Shift and Alt", () => {
  it("correct the clicks before, which are asked again together", async () => {
    const s = open()
    const tool = new Select()
    click(s, tool, 15, 15)
    await s.last().answer(THING)
    click(s, tool, 45, 25, { shift: true })
    expect(s.last().question).toMatchObject({ labels: [true, true] })
    await s.last().answer(OTHER)
    click(s, tool, 30, 20, { alt: true })
    expect(s.last().question).toMatchObject({ labels: [true, true, false] })
    // What they select together replaces what was selected.
    expect(textOf(s.handle())).toEqual(textOf(OTHER))
  })

  it("lose none that come before the answer", async () => {
    const s = open()
    const tool = new Select()
    click(s, tool, 15, 15)
    click(s, tool, 45, 25, { shift: true })
    await s.asked[0]?.answer(null)
    expect(s.last().question.points).toHaveLength(2)
    await s.last().answer(OTHER)
    expect(textOf(s.handle())).toEqual(textOf(OTHER))
  })

  it("add to and take away from what was drawn otherwise", async () => {
    for (const [held, contains] of [
      [{ shift: true }, true],
      [{ alt: true }, false],
    ] as const) {
      const s = open()
      s.store.commit(withMask(addPair(s.store.regions), 0, "handle", THING))
      click(s, new Select(), 12, 15, held)
      expect(s.last().question.labels).toEqual([true])
      await s.last().answer(disc(W, H, 10, 15, 3))
      expect(textOf(s.handle())[15]?.[9] === "#").toBe(contains)
      expect(textOf(s.handle())[15]?.[19]).toBe("#")
    }
  })

  it("are dropped if what they correct has changed meanwhile", async () => {
    const s = open()
    const tool = new Select()
    click(s, tool, 15, 15)
    await s.last().answer(THING)
    click(s, tool, 45, 25, { shift: true })
    s.store.undo()
    await s.last().answer(OTHER)
    expect(s.store.regions.pairs).toHaveLength(0)
  })
})

describe("Tab after a click", () => {
  it("takes the next thing that the click may mean, until something else is drawn", async () => {
    const s = open()
    const tool = new Select()
    expect(tool.keyDown("Tab", false, s.context)).toBe(false)
    click(s, tool, 15, 15)
    await s.last().answer(THING)
    expect(tool.keyDown("Tab", false, s.context)).toBe(true)
    expect(s.last().question).toMatchObject({ labels: [true], choice: 1 })
    await s.last().answer(OTHER)
    expect(textOf(s.handle())).toEqual(textOf(OTHER))
    tool.keyDown("Tab", false, s.context)
    expect(s.last().question.choice).toBe(2)
    await s.last().answer(OTHER)
    expect(s.context.notify).toHaveBeenLastCalledWith("Nothing else is meant here")
    s.store.undo()
    expect(textOf(s.handle())).toEqual(textOf(THING))
    expect(tool.keyDown("Tab", false, s.context)).toBe(false)
  })
})

describe("dragging", () => {
  it("paints over pieces", async () => {
    const s = open()
    s.drag(new Select(), [
      [5, 5],
      [20, 5],
      [40, 5],
    ])
    // The kit's own context asks nobody: the gesture alone must not change anything.
    expect(s.store.canUndo).toBe(false)
    const tool = new Select()
    tool.press(s.at(5, 5), s.context)
    tool.drag([s.at(20, 5), s.at(40, 5)], s.context)
    tool.release(s.at(40, 5), s.context)
    expect(s.last()).toMatchObject({ how: "brush", question: { points: [{ x: 5 }, { x: 20 }, { x: 40 }] } })
    await s.last().answer(OTHER)
    expect(textOf(s.handle())).toEqual(textOf(OTHER))
  })

  it("draws a box if that was chosen", () => {
    const s = open()
    const tool = new Select()
    const context = { ...s.context, boxes: true }
    tool.press(s.at(5, 5), context)
    tool.drag([s.at(20, 8), s.at(30, 30)], context)
    tool.release(s.at(30, 30), context)
    expect(s.last()).toMatchObject({
      how: "box",
      question: {
        points: [
          { x: 5, y: 5 },
          { x: 30, y: 30 },
        ],
      },
    })
  })

  it("sends no more points than the kernel takes", () => {
    const s = open()
    const tool = new Select()
    tool.press(s.at(5, 5), s.context)
    tool.drag(
      Array.from({ length: 9_000 }, (_, i) => s.at(5 + i / 200, 5)),
      s.context,
    )
    tool.release(s.at(50, 5), s.context)
    const points = s.last().question.points ?? []
    expect(points.length).toBeLessThan(1_100)
    expect(points.at(-1)?.x).toBeCloseTo(5 + 8_999 / 200)
  })

  it("moves what is selected, with Select in hand, but not with Shift or Alt", async () => {
    const s = open()
    const tool = new Select()
    click(s, tool, 15, 15)
    await s.last().answer(THING)
    expect(tool.grabs(s.at(15, 15), s.context)).toBe(true)
    expect(tool.grabs(s.at(15, 15, { shift: true }), s.context)).toBe(false)
    expect(tool.grabs(s.at(50, 5), s.context)).toBe(false)
  })
})

describe("hovering", () => {
  it("asks for the piece under the pointer again only once the pointer has moved, and not while an answer is to come", async () => {
    const s = open()
    const tool = new Select()
    tool.hover(s.at(15, 15), s.context)
    await s.last().answer(THING)
    tool.hover(s.at(16, 16), s.context)
    expect(s.asked).toHaveLength(1)
    tool.hover(s.at(45, 25), { ...s.context, select: { ...s.select, isAsking: () => true } })
    expect(s.asked).toHaveLength(1)
    tool.hover(s.at(45, 25), s.context)
    expect(s.asked).toHaveLength(2)
  })

  it("asks for nothing outside the picture", () => {
    const s = open()
    new Select().hover(s.at(-3, 10), s.context)
    expect(s.asked).toHaveLength(0)
  })

  it("asks for all that a click would take where the pointer rests, and shows it as long as the pointer is in it", async () => {
    vi.useFakeTimers()
    const s = open()
    const tool = new Select()
    const g = new Proxy({}, { get: () => vi.fn(), set: () => true }) as CanvasRenderingContext2D
    tool.hover(s.at(5, 15), s.context)
    tool.hover(s.at(15, 15), s.context)
    vi.advanceTimersByTime(1_000)
    expect(s.asked.map(({ how }) => how)).toEqual(["piece", "piece", "object"])
    await s.last().answer(THING)
    tool.hover(s.at(15, 20), { ...s.context, viewport: { scale: 2, x: 0, y: 0 } })
    expect(s.asked).toHaveLength(3)
    tool.paint(g, s.context)
    expect(vi.mocked(s.context.outline).mock.lastCall?.[1]).toBe(THING)
    tool.hover(s.at(45, 25), s.context)
    tool.leave(s.context)
    vi.advanceTimersByTime(1_000)
    expect(s.asked.map(({ how }) => how)).toEqual(["piece", "piece", "object", "piece"])
    vi.useRealTimers()
  })

  it("shows the piece until the pointer leaves", async () => {
    const s = open()
    const tool = new Select()
    const g = new Proxy({}, { get: () => vi.fn(), set: () => true }) as CanvasRenderingContext2D
    tool.hover(s.at(15, 15), s.context)
    await s.last().answer(THING)
    tool.paint(g, s.context)
    expect(s.context.outline).toHaveBeenCalledTimes(1)
    tool.leave(s.context)
    tool.paint(g, s.context)
    expect(s.context.outline).toHaveBeenCalledTimes(1)
  })
})

describe("the wand", () => {
  it("asks with its tolerance and adds with Shift", async () => {
    const s = open()
    s.store.commit(withMask(addPair(s.store.regions), 0, "handle", THING))
    const context = { ...s.context, tolerance: 12, contiguous: false }
    new Wand().press(s.at(45, 25, { shift: true }), context)
    expect(s.last()).toMatchObject({ how: "wand", question: { amount: 12, contiguous: false } })
    await s.last().answer(OTHER)
    const rows = textOf(s.handle())
    expect([rows[15]?.[15], rows[25]?.[45]]).toEqual(["#", "#"])
  })
})
