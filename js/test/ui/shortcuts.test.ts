import { describe, expect, it } from "vitest"
import { newTools } from "../../src/tools/toolbox"
import { commandOf, HELP_ROWS } from "../../src/ui/shortcuts"

const press = (key: string, ...held: ("ctrl" | "shift" | "alt")[]) =>
  commandOf({ key, ctrl: held.includes("ctrl"), shift: held.includes("shift"), alt: held.includes("alt") })

describe("keys", () => {
  it.each([
    ["b", "brush"],
    ["e", "eraser"],
    ["l", "lasso"],
    ["p", "polygon"],
    ["r", "rectangle"],
    ["o", "ellipse"],
    ["v", "move"],
  ])("%s takes the %s", (key, id) => {
    expect(press(key)).toEqual({ do: "tool", id })
  })

  it("run, undo and redo as everywhere", () => {
    expect(press("Enter", "ctrl")).toEqual({ do: "run" })
    expect(press("z", "ctrl")).toEqual({ do: "undo" })
    expect(press("Z", "ctrl", "shift")).toEqual({ do: "redo" })
    expect(press("y", "ctrl")).toEqual({ do: "redo" })
  })

  it("nudge by a pixel, by ten with Shift", () => {
    expect(press("ArrowLeft")).toEqual({ do: "nudge", dx: -1, dy: 0 })
    expect(press("ArrowDown", "shift")).toEqual({ do: "nudge", dx: 0, dy: 10 })
  })

  it("size the brush either way", () => {
    for (const held of [[], ["shift"]] as const) {
      const smaller = press(held.length ? "{" : "[", ...held) as { factor: number }
      const larger = press(held.length ? "}" : "]", ...held) as { factor: number }
      expect(smaller.factor * larger.factor).toBeCloseTo(1, 12)
    }
  })

  it("that are the browser's stay the browser's", () => {
    for (const key of ["r", "w", "t", "f", "l", "p"]) expect(press(key, "ctrl")).toBeNull()
    expect(press("ArrowLeft", "ctrl")).toBeNull()
    expect(press("F5")).toBeNull()
    expect(press("d", "alt")).toBeNull()
  })

  it("of every tool are in the help sheet, beside its name", () => {
    const tools = HELP_ROWS[0]?.rows ?? []
    for (const { key, label } of newTools()) {
      const row = tools.find(({ keys }) => keys.split("  ").includes(key.toUpperCase()))
      expect(row?.does.toLowerCase(), key).toContain(label.toLowerCase())
    }
    expect(tools.slice(0, 2)).toEqual([
      { keys: "S  U", does: "Select, magic wand" },
      { keys: "B  E", does: "Brush, eraser" },
    ])
  })

  it("are all in the help sheet", () => {
    const words = HELP_ROWS.flatMap((part) => part.rows.map((row) => row.keys)).join(" ")
    for (const key of [
      "B",
      "E",
      "L",
      "P",
      "R",
      "O",
      "V",
      "X",
      "T",
      "K",
      "N",
      "W",
      "F",
      "C",
      "M",
      "[",
      "?",
      "Ctrl+Enter",
    ]) {
      expect(words.split(/\s+/), key).toContain(key)
    }
  })
})
