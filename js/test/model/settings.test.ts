import { describe, expect, it } from "vitest"
import { DEFAULTS, effective, ordered, type Settings, SPECS, settingsFrom } from "../../src/model/settings"

describe("settings out of traits", () => {
  it("keep a default where a value has the wrong type", () => {
    const settings = settingsFrom({ seed: "7", steps: 8, prompt: null, live: true, start: Number.NaN })
    expect(settings).toMatchObject({ seed: 0, steps: 8, prompt: "", live: true, start: DEFAULTS.start })
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

/** What can be left to the model, as a model and its table of settings say it. */
const nothing = { ...DEFAULTS, steps: null, start: null, stop: null } as unknown as Settings
const own = { ...DEFAULTS, steps: 4, start: 0.5, stop: 0.2 }

describe("start and stop", () => {
  const asked = { ...DEFAULTS, start: 0.5, stop: 0.2 }

  it("take each other along, so that start is never below stop", () => {
    expect(ordered(asked, own, { start: 0.1 })).toEqual({ start: 0.1, stop: 0.1 })
    expect(ordered(asked, own, { stop: 0.7 })).toEqual({ stop: 0.7, start: 0.7 })
  })

  it("leave each other alone otherwise", () => {
    expect(ordered(asked, own, { start: 0.3 })).toEqual({ start: 0.3 })
    expect(ordered(asked, own, { seed: 4 })).toEqual({ seed: 4 })
  })

  it("are left to the model where nobody has set them", () => {
    expect(ordered(nothing, own, { start: 0.1 })).toEqual({ start: 0.1 })
    expect(ordered(nothing, own, { stop: 0.7 })).toEqual({ stop: 0.7, start: 0.7 })
    expect(ordered(nothing, nothing, { stop: 0.7 })).toEqual({ stop: 0.7 })
  })
})

describe("settings that nobody has set", () => {
  it("are the model's own, as far as those are known", () => {
    expect(effective(nothing, own)).toEqual(own)
    expect(effective(nothing, nothing)).toEqual(nothing)
    expect(effective({ ...nothing, steps: 9 }, own)).toEqual({ ...own, steps: 9 })
  })

  it("give way to a start that was set below the model's stop", () => {
    expect(effective({ ...nothing, start: 0.1 }, own)).toMatchObject({ start: 0.1, stop: 0.1 })
  })
})
