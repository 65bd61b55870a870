import { describe, expect, it } from "vitest"
import { readMessage, readTrait, type TraitName } from "../../src/kernel/messages"

const read = (type: string, fields: Record<string, unknown> = {}) => readMessage({ v: 1, type, ...fields })
const frame = { run: 5, seq: 1, step: 2, total: 9, box: [0, 0, 8, 6] }
const fieldsOf = (message: ReturnType<typeof readMessage>) =>
  typeof message === "string" ? message : message.fields

describe("a message", () => {
  it("is read with its type and its fields; those of a later version are left out", () => {
    expect(read("stopped", { run: 5, step: 2, sparkle: true })).toEqual({
      type: "stopped",
      fields: { run: 5, step: 2 },
    })
  })

  it.each([
    [null, "malformed"],
    [[], "malformed"],
    [{ v: 1, type: 9 }, "malformed"],
    [{ v: 2, type: "pong" }, "of version 2"],
    [{ type: "pong" }, "of version undefined"],
    [{ v: 1, type: "dance" }, "unknown message was ignored: dance"],
    [{ v: 1, type: "toString" }, "unknown message was ignored: toString"],
  ])("that is not ours is refused in words: %j", (content, words) => {
    expect(readMessage(content)).toContain(words)
  })

  it.each([
    ["preview", { ...frame, seq: "x" }],
    ["preview", { ...frame, box: [0, 0] }],
    ["preview", { ...frame, box: [0, 0, 8, Number.NaN] }],
    ["preview", { ...frame, run: 1.5 }],
    ["done", {}],
    ["undrafted", { seq: null }],
  ])("without what it is about is refused: %s %j", (type, fields) => {
    expect(read(type, fields)).toBe(`a malformed message was ignored: ${type}`)
  })

  it.each([
    ["preview", frame, { ...frame, mime: "image/jpeg" }],
    ["drafted", { seq: 7, box: "none" }, { seq: 7, box: null, mime: "image/jpeg" }],
    ["undrafted", { seq: 7, reason: "whim" }, { seq: 7, reason: "stale", message: "" }],
    ["error", { run: null, message: "Broken." }, { run: null, code: "", message: "Broken.", remedy: "" }],
    ["ready", {}, { kernel: "", busy: false, run: null }],
  ])("with less than everything is read as far as it goes: %s", (type, fields, read_) => {
    expect(fieldsOf(read(type, fields))).toEqual(read_)
  })

  it("takes no measurements of the wrong kind", () => {
    const told = { draft_ms: "7", live: 1, device: 3, memory: Number.NaN }
    expect(fieldsOf(read("measured", told))).toEqual({
      draft_ms: null,
      live: false,
      device: "",
      dtype: "",
      memory: null,
      budget: null,
      note: "",
    })
  })
})

describe("a trait", () => {
  it.each([
    ["_regions_rev", "x", 0],
    ["_selected", Number.NaN, null],
    ["_masks", [1], {}],
    ["_pairs", "x", []],
    ["_image", null, null],
    ["_image", new DataView(new ArrayBuffer(0)), null],
    ["_result_info", {}, null],
    ["_models", ["mini", 3, null], ["mini"]],
    ["_height", "tall", null],
  ] as [TraitName, unknown, unknown][])("of the wrong type reads as nothing: %s", (name, value, nothing) => {
    expect(readTrait(name, value)).toEqual(nothing)
  })

  it("whose fields are missing has those that stand for nothing", () => {
    const ready = { state: "ready", message: "", step: 0, total: 0, eta: null, run: 0 }
    expect(readTrait("_state", { state: "dancing" })).toEqual(ready)
    expect(readTrait("_state", null)).toEqual(ready)
    expect(readTrait("_image_info", {})).toMatchObject({
      width: 0,
      rev: null,
      mime: "image/png",
      alpha: false,
    })
  })

  it("that lists pairs leaves out those without an id, and a matrix that cannot be inverted", () => {
    const flat = [1, 0, 0, 0, 0, 0, 0, 0, 1]
    const pairs = readTrait("_pairs", [null, "text", { name: "no id" }, { id: "p", matrix: flat }])
    const rest = {
      name: "",
      color: null,
      carry: null,
      pins: null,
      dense: null,
      visible: true,
      locked: false,
      rev: 0,
      hasTarget: false,
      action: "move",
    }
    expect(pairs).toEqual([{ id: "p", matrix: null, ...rest }])
  })

  it("with masks is not copied, so that the same masks can be told by identity", () => {
    const masks = { "h:p": new Uint8Array(3) }
    expect(readTrait("_masks", masks)).toBe(masks)
  })
})
