import { describe, expect, it } from "vitest"
import { DEFAULTS, ordered, SPECS, settingsFrom } from "../../src/model/settings"

describe("settings out of traits", () => {
  it("keep a default where a value has the wrong type", () => {
    const settings = settingsFrom({ seed: "7", steps: 8, prompt: null, live: true, start: Number.NaN })
    expect(settings).toMatchObject({ seed: 0, steps: 8, prompt: "", live: true, start: 0.2 })
  })

  it("may leave live editing to the kernel", () => {
    expect(settingsFrom({ live: null }, { ...DEFAULTS, live: true }).live).toBeNull()
    expect(settingsFrom({ live: "on" }, { ...DEFAULTS, live: true }).live).toBe(true)
  })

  it("may name a model that this page has not heard of", () => {
    expect(settingsFrom({ model: "flux" }).model).toBe("flux")
  })

  it("drop what is no setting", () => {
    expect(Object.keys(settingsFrom({ evil: 1 }))).not.toContain("evil")
  })
})

describe("the table of settings", () => {
  it("names each setting once, in an order of its own", () => {
    expect(new Set(SPECS.map((s) => s.name)).size).toBe(SPECS.length)
    expect(new Set(SPECS.map((s) => s.order)).size).toBe(SPECS.length)
  })

  it.each(SPECS)("gives $name a default that it accepts, and words for the user", (spec) => {
    const given = { ...DEFAULTS, [spec.name]: Symbol("anything else") }
    expect(settingsFrom({ [spec.name]: spec.default }, given)[spec.name]).toBe(spec.default)
    expect(spec.label).toMatch(/^[A-Z]/)
    expect(spec.help.length).toBeGreaterThan(10)
    if (typeof spec.default !== "number") return
    expect(spec.default).toBeGreaterThanOrEqual(spec.min ?? Number.NEGATIVE_INFINITY)
    expect(spec.default).toBeLessThanOrEqual(spec.max ?? Number.POSITIVE_INFINITY)
  })
})

describe("start and stop", () => {
  const settings = { ...DEFAULTS, start: 0.5, stop: 0.2 }

  it("take each other along, so that start is never below stop", () => {
    expect(ordered(settings, { start: 0.1 })).toEqual({ start: 0.1, stop: 0.1 })
    expect(ordered(settings, { stop: 0.7 })).toEqual({ stop: 0.7, start: 0.7 })
  })

  it("leave each other alone otherwise", () => {
    expect(ordered(settings, { start: 0.3 })).toEqual({ start: 0.3 })
    expect(ordered(settings, { seed: 4 })).toEqual({ seed: 4 })
  })
})
