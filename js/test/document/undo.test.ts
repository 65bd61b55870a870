import { describe, expect, it } from "vitest"
import { History } from "../../src/document/undo"

describe("undo and redo", () => {
  it("walk back and forth through what was pushed", () => {
    const history = new History("a")
    history.push("b")
    history.push("c")
    expect([history.undo(), history.undo(), history.undo()]).toEqual(["b", "a", undefined])
    expect([history.redo(), history.redo(), history.redo()]).toEqual(["b", "c", undefined])
  })

  it("forget what was undone when something new is done", () => {
    const history = new History("a")
    history.push("b")
    history.undo()
    history.push("c")
    expect(history.canRedo).toBe(false)
    expect(history.undo()).toBe("a")
  })

  it("keep at least fifty steps", () => {
    const history = new History(0)
    for (let i = 1; i <= 500; i++) history.push(i)
    let steps = 0
    while (history.undo() !== undefined) steps++
    expect(steps).toBeGreaterThanOrEqual(50)
    expect(steps).toBeLessThan(500)
  })

  it("take no step for an amendment", () => {
    const history = new History("a")
    history.push("b")
    history.amend("b2")
    expect(history.current).toBe("b2")
    expect(history.undo()).toBe("a")
  })
})
