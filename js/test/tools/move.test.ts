import { describe, expect, it } from "vitest"
import { addPair, changePair, withMask, withMatrix } from "../../src/document/regions"
import { translation } from "../../src/geometry/matrix"
import { Move } from "../../src/tools/move"
import { disc, textOf } from "../masks"
import { H, setUp, W } from "./kit"

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

  it("makes a copy with Alt: the thing stays", () => {
    const s = withHandle()
    s.drag(
      new Move(),
      [
        [15, 15],
        [35, 15],
      ],
      { alt: true },
    )
    expect(s.store.regions.pairs.map(({ action, matrix }) => [action, matrix])).toEqual([
      ["copy", translation(20, 0)],
    ])
    s.store.undo()
    expect(s.store.regions.pairs[0]?.action).toBe("move")
  })

  it("makes a pair of its own by Alt where the thing has its place already, in one undo step", () => {
    const s = withHandle()
    s.store.commit(withMatrix(s.store.regions, 0, translation(20, 0)))
    const move = new Move()
    move.press(s.at(35, 15, { alt: true }), s.context)
    move.drag([s.at(40, 25, { alt: true })], s.context)
    expect([s.store.regions.pairs.length, s.store.shown.pairs.length]).toEqual([1, 2])
    move.release(s.at(40, 25, { alt: true }), s.context)
    expect(s.store.regions.pairs.map(({ action, matrix }) => [action, matrix])).toEqual([
      ["move", translation(20, 0)],
      ["copy", translation(25, 10)],
    ])
    s.store.undo()
    expect(s.store.regions.pairs).toHaveLength(1)
  })

  it("makes no copy of what was only pressed", () => {
    const s = withHandle()
    s.store.commit(withMatrix(s.store.regions, 0, translation(20, 0)))
    s.drag(new Move(), [[35, 15]], { alt: true })
    expect(s.store.regions.pairs.map(({ action }) => action)).toEqual(["move"])
  })

  it("moves what was to be removed instead", () => {
    const s = withHandle()
    s.store.commit(changePair(s.store.regions, 0, { action: "remove" }))
    s.drag(new Move(), [
      [15, 15],
      [30, 15],
    ])
    expect(s.store.regions.pairs[0]).toMatchObject({ action: "move", matrix: translation(15, 0) })
  })
})
