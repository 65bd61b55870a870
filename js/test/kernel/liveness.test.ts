import { describe, expect, it } from "vitest"
import { type Heard, judge, kernelStatusOf } from "../../src/kernel/liveness"

const fresh: Heard = {
  opened: 0,
  asked: null,
  last: null,
  suspicious: false,
  kernelStatus: null,
  ended: false,
}
const known: Heard = { ...fresh, last: 1_000 }

describe("a kernel that was never heard", () => {
  it("is waited for, then taken for none", () => {
    expect(judge(fresh, 3_900)).toBe("waiting")
    expect(judge(fresh, 4_100)).toBe("readonly")
  })

  it("is busy when the host says so", () => {
    expect(judge({ ...fresh, kernelStatus: "busy" }, 60_000)).toBe("busy")
  })
})

describe("a kernel that was heard", () => {
  it("is alive while nothing was asked, however long that is", () => {
    expect(judge(known, 10_000_000)).toBe("live")
  })

  it("is busy when it does not answer for a while, gone after half a minute", () => {
    const asked = { ...known, asked: 100_000 }
    expect(judge(asked, 109_000)).toBe("live")
    expect(judge(asked, 115_000)).toBe("busy")
    expect(judge(asked, 131_000)).toBe("gone")
  })

  it("is gone sooner when the host reported a lost connection, or an idle kernel does not answer", () => {
    const asked = { ...known, asked: 100_000 }
    expect(judge({ ...asked, suspicious: true }, 111_000)).toBe("gone")
    expect(judge({ ...asked, kernelStatus: "idle" }, 111_000)).toBe("gone")
  })

  it("stays busy as long as the host says that it computes", () => {
    expect(judge({ ...known, asked: 0, kernelStatus: "busy" }, 900_000)).toBe("busy")
  })

  it.each(["dead", "restarting", "terminating"])(
    "is gone at once when the host calls it %s",
    (kernelStatus) => {
      expect(judge({ ...known, kernelStatus }, 1_001)).toBe("gone")
    },
  )
})

describe("what a host says of its kernel", () => {
  it("is read where there is any, and nothing else is assumed", () => {
    expect(kernelStatusOf({ kernel: { status: "idle" } })).toBe("idle")
    for (const manager of [undefined, null, {}, { kernel: null }, { kernel: { status: 4 } }]) {
      expect(kernelStatusOf(manager)).toBeNull()
    }
    const throwing = {
      get kernel(): never {
        throw new Error("disposed")
      },
    }
    expect(kernelStatusOf(throwing)).toBeNull()
  })
})
