import { describe, expect, it } from "vitest"
import { addPair, changePair, withMask, withMatrix } from "../../src/document/regions"
import { translation } from "../../src/geometry/matrix"
import { Brush } from "../../src/tools/brush"
import { Eraser } from "../../src/tools/eraser"
import { Lasso } from "../../src/tools/lasso"
import { Rectangle } from "../../src/tools/rectangle"
import { disc } from "../masks"
import { H, setUp, W } from "./kit"

function drawn(layer: "handle" | "target" = "handle") {
  const s = setUp(layer)
  s.store.commit(withMask(addPair(s.store.regions), 0, "handle", disc(W, H, 20, 20, 9)))
  return s
}

describe("a press on what was just drawn", () => {
  it.each([new Lasso(), new Rectangle(), new Brush()])("moves it, with %o in hand", (tool) => {
    const s = drawn()
    expect(tool.grabs(s.at(20, 20), s.context)).toBe(true)
    expect(tool.grabs(s.at(40, 20), s.context)).toBe(false)
  })

  it("moves it on from where it was carried", () => {
    const s = drawn()
    s.store.commit(withMatrix(s.store.regions, 0, translation(25, 5)))
    expect(new Lasso().grabs(s.at(45, 25), s.context)).toBe(true)
  })

  it("draws with the brush where that would paint something new", () => {
    const s = drawn()
    expect(new Brush().grabs(s.at(27, 20), s.context)).toBe(false)
  })

  it.each([{ shift: true }, { alt: true }, { secondary: true }])("draws or erases with %o held", (held) => {
    const s = drawn()
    expect(new Lasso().grabs(s.at(20, 20, held), s.context)).toBe(false)
  })

  it("never moves it with the eraser, on another layer, or if it is locked or hidden", () => {
    const s = drawn()
    expect(new Eraser().grabs(s.at(20, 20), s.context)).toBe(false)
    expect(new Lasso().grabs(s.at(20, 20), { ...s.context, layer: "target" })).toBe(false)
    for (const fields of [{ locked: true }, { visible: false }]) {
      const other = drawn()
      other.store.commit(changePair(other.store.regions, 0, fields))
      expect(new Lasso().grabs(other.at(20, 20), other.context)).toBe(false)
    }
  })
})
