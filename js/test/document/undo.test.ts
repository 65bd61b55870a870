import { describe, expect, it } from "vitest"
import { UndoStack } from "../../src/document/undo"

describe("undo and redo", () => {
  it("walk back and forth through what was pushed", () => {
    const undo = new UndoStack("a")
    undo.push("b")
    undo.push("c")
    expect([undo.undo(), undo.undo(), undo.undo()]).toEqual(["b", "a", undefined])
    expect([undo.redo(), undo.redo(), undo.redo()]).toEqual(["b", "c", undefined])
  })

  it("forget what was undone when something new is done", () => {
    const undo = new UndoStack("a")
    undo.push("b")
    undo.undo()
    undo.push("c")
    expect(undo.canRedo).toBe(false)
    expect(undo.undo()).toBe("a")
  })

  it("keep at least fifty steps", () => {
    const undo = new UndoStack(0)
    for (let i = 1; i <= 500; i++) undo.push(i)
    let steps = 0
    while (undo.undo() !== undefined) steps++
    expect(steps).toBeGreaterThanOrEqual(50)
    expect(steps).toBeLessThan(500)
  })

  it("take no step for an amendment", () => {
    const undo = new UndoStack("a")
    undo.push("b")
    undo.amend("b2")
    expect(undo.current).toBe("b2")
    expect(undo.undo()).toBe("a")
  })
})
