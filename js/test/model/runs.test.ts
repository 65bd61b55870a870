import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { readTrait } from "../../src/kernel/messages"
import { Runs } from "../../src/model/runs"

const state = (fields: Record<string, unknown>) => readTrait("_state", fields)

const idle = () =>
  new Runs(
    state({ state: "ready", run: 0 }),
    () => {},
    () => {},
  )

describe("the pace of a run", () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it("leaves room for what is to come when preparing takes longer than was guessed", () => {
    const runs = idle()
    runs.begin(4, () => true)
    runs.take(state({ state: "loading", run: 1, eta: 4 }))
    vi.advanceTimersByTime(2_000)
    expect(runs.pace.share).toBeCloseTo(0.5)
    expect(runs.pace.left).toBeCloseTo(2)
    vi.advanceTimersByTime(30_000)
    expect(runs.pace.share).toBeLessThan(0.9)
    expect(runs.pace.left).toBeCloseTo(4)
    runs.take(state({ state: "running", run: 1, step: 3, total: 4, eta: 0.5 }))
    expect(runs.pace.left).toBeCloseTo(0.5)
  })

  it("starts anew when the wait for other runs is over", () => {
    const runs = idle()
    runs.begin(4, () => true)
    runs.take(state({ state: "loading", run: 1, message: "Waiting for its turn" }))
    vi.advanceTimersByTime(20_000)
    expect(runs.pace).toEqual({ elapsed: 20, left: null, share: null })
    runs.take(state({ state: "loading", run: 1, eta: 4 }))
    vi.advanceTimersByTime(1_000)
    expect(runs.pace.share).toBeCloseTo(0.25)
  })
})
