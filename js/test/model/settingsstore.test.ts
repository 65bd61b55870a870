import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { Host } from "../../src/kernel/host"
import { DEFAULTS } from "../../src/model/settings"
import { SettingsStore } from "../../src/model/settingsstore"
import { FakeModel } from "../fakemodel"

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function setUp(state: Record<string, unknown> = {}) {
  const model = new FakeModel({
    settings: { ...DEFAULTS },
    _defaults: { ...DEFAULTS },
    _models: [],
    ...state,
  })
  const changed = vi.fn()
  const settings = new SettingsStore(new Host(model), changed)
  const saved = () => model.patches.map((patch) => patch.settings as Record<string, unknown>)
  return { model, settings, changed, saved }
}

describe("changed settings", () => {
  it("reach the kernel once, after a pause", () => {
    const { settings, saved, changed } = setUp()
    settings.change({ prompt: "a" })
    settings.change({ prompt: "a cup" })
    expect([settings.current.prompt, changed.mock.calls.length, saved().length]).toEqual(["a cup", 2, 0])
    vi.advanceTimersByTime(300)
    expect(saved()).toEqual([{ ...DEFAULTS, prompt: "a cup" }])
  })

  it("reach it at once where that is asked for, and are not sent again", () => {
    const { settings, saved } = setUp()
    settings.change({ seed: 5 }, true)
    settings.flush()
    vi.advanceTimersByTime(1_000)
    expect(saved()).toEqual([{ ...DEFAULTS, seed: 5 }])
  })

  it("by the kernel are taken over, and reported only if they are others", () => {
    const { model, settings, changed } = setUp()
    model.update({ settings: { ...DEFAULTS, seed: 8 } })
    expect([settings.current.seed, changed.mock.calls.length]).toEqual([8, 1])
    model.update({ settings: { ...DEFAULTS, seed: 8 } })
    expect(changed).toHaveBeenCalledOnce()
  })

  it("are taken back by a reset, to the model's own values", () => {
    const { settings, saved } = setUp({ _defaults: { ...DEFAULTS, steps: 4 } })
    settings.change({ prompt: "a cup", steps: 9 })
    settings.reset()
    expect(saved()).toEqual([{ ...DEFAULTS, steps: settings.asked.steps }])
    expect(settings.current).toEqual({ ...DEFAULTS, steps: 4 })
  })
})

describe("the models to choose from", () => {
  it("are the kernel's, with the current one", () => {
    expect(setUp({ _models: ["mini", "sd"] }).settings.models).toEqual(["mini", "sd"])
    expect(setUp({ _models: ["sd"], settings: { model: "own" } }).settings.models).toEqual(["own", "sd"])
  })
})
