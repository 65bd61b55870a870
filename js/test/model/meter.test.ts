import { describe, expect, it } from "vitest"
import { Meter, measurements } from "../../src/model/meter"

const told = { draft_ms: 142.4, live: true, device: "cuda:0", dtype: "float16", memory: 3 * 2 ** 20 }

describe("the read-out", () => {
  it("says what is known, a line each", () => {
    const meter = new Meter()
    for (let i = 0; i < 9; i++) meter.add(i === 4 ? 900 : 120 + i, 1_000 + i * 200)
    const measured = { ...told, budget: 2 ** 30 * 12, note: "compiled" }
    expect(measurements(measured, meter, 2_600)).toEqual([
      "125 ms to screen · 5.0 frames/s",
      "142 ms a draft · cuda:0 · float16",
      "Cache 3.0 MB of 12.0 GB",
      "compiled",
    ])
  })

  it("says so when nothing is known, and drops a rate that has ended", () => {
    const meter = new Meter()
    expect(measurements(null, meter, 0)).toEqual(["Nothing measured yet"])
    const unprepared = { draft_ms: null, live: false, device: "", dtype: "", memory: 0, budget: 0, note: "" }
    expect(measurements(unprepared, meter, 0)).toEqual(["Nothing measured yet"])
    meter.add(80, 1_000)
    meter.add(80, 1_100)
    expect(measurements(null, meter, 9_000)).toEqual(["80 ms to screen"])
  })
})
