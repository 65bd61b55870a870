import { describe, expect, it } from "vitest"
import { readTrait } from "../../src/kernel/messages"
import { inWords, paceInWords } from "../../src/model/progress"

describe("the state in words", () => {
  const words = (fields: Record<string, unknown>) => inWords(readTrait("_state", fields))

  it("counts the steps and tells the time that is left", () => {
    expect(words({ state: "running", step: 3, total: 20, eta: 4.2 })).toBe("Step 3 of 20, 4 s left")
    expect(words({ state: "running", step: 1, total: 20, eta: null })).toBe("Step 1 of 20")
    expect(words({ state: "running", step: 2, total: 50, eta: 600 })).toBe("Step 2 of 50, 10 min left")
  })

  it("takes the kernel's words where it has some", () => {
    expect(words({ state: "loading", message: "Loading SDXL" })).toBe("Loading SDXL")
    expect(words({ state: "loading" })).toBe("Loading the model")
  })

  it("is ready when the state is unknown", () => {
    expect(words({ state: "dancing" })).toBe("Ready")
  })

  it("tells the share, and the time left as a guess", () => {
    expect(paceInWords({ elapsed: 3.4, left: null, share: null }, 0)).toBe("3 s so far")
    expect(paceInWords({ elapsed: 3, left: 9, share: 0.25 }, 0)).toBe("25 %, about 9 s left")
    expect(paceInWords({ elapsed: 6, left: 0.8, share: 0.88 }, 0)).toBe("88 %, under 1 s left")
    expect(paceInWords({ elapsed: 3, left: 9, share: 0.25 }, 2)).toBe("25 %")
  })
})
