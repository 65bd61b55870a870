import { describe, expect, it } from "vitest"
import { mark } from "../../src/model/marks"

describe("marks", () => {
  it("give start and length, and stay few", () => {
    const names = () => performance.getEntriesByName("regiondrag.preview")
    for (let i = 0; i < 1_000; i++) mark("regiondrag.preview", i, i + 3)
    expect(names().length).toBeGreaterThan(100)
    expect(names().length).toBeLessThanOrEqual(400)
    expect(names().at(-1)).toMatchObject({ startTime: 999, duration: 3 })
    performance.clearMeasures()
  })
})
