import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { Corners, KernelMessage } from "../../src/kernel/messages"
import { Drafts, LOST, OLDEST } from "../../src/model/drafts"

const jpeg = Uint8Array.from([1, 2, 3])
const box: Corners = [0, 0, 8, 6]
let decode: () => Promise<{ close: () => void }>
let closed: number

beforeEach(() => {
  vi.useFakeTimers()
  closed = 0
  decode = async () => ({
    close: () => {
      closed++
    },
  })
  vi.stubGlobal("createImageBitmap", () => decode())
  vi.stubGlobal("requestAnimationFrame", (callback: () => void) => setTimeout(callback, 16))
  vi.spyOn(console, "warn").mockImplementation(() => {})
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

function setUp(sends = true) {
  const asked: number[] = []
  const painted: number[] = []
  const failed = vi.fn()
  const shown = vi.fn()
  const drafts = new Drafts({
    request: (seq) => {
      asked.push(seq)
      return sends ? [] : null
    },
    redraw: shown,
    painted: (draft) => painted.push(draft.seq),
    failed,
  })
  const newest = () => asked.at(-1) ?? 0
  return {
    drafts,
    asked,
    painted,
    failed,
    shown,
    want: (place: string) => drafts.want(place, performance.now()),
    answer: (seq = newest()) => drafts.receive({ seq, box, mime: "image/jpeg" }, jpeg),
    refuse: (reason: KernelMessage<"undrafted">["reason"], message = "") =>
      drafts.refuse({ seq: newest(), reason, message }),
    wait: (ms: number) => vi.advanceTimersByTimeAsync(ms),
    /** The place of the draft on show and whether it is shown whole, for a pointer at `place`. */
    screen: (place: string) => {
      const shownDraft = drafts.shownAt(place)
      return shownDraft ? `${shownDraft.draft.placement} ${shownDraft.whole ? "whole" : "fill"}` : ""
    },
  }
}

describe("requests for drafts", () => {
  it("are one at a time; the newest place is asked for when the one before is painted", async () => {
    const { want, answer, asked, painted, wait, screen } = setUp()
    for (const place of ["a", "b", "c"]) want(place)
    expect(asked).toHaveLength(1)
    await answer()
    expect([screen("a"), asked.length, painted.length]).toEqual(["a whole", 1, 0])
    await wait(16)
    expect([painted.length, asked.length]).toEqual([1, 2])
    await answer()
    await wait(16)
    expect([screen("c"), asked.length]).toEqual(["c whole", 2])
  })

  it("rise in number, across reloads of the page too", () => {
    const { want, asked, drafts } = setUp()
    want("a")
    drafts.end()
    want("b")
    expect(asked[1]).toBeGreaterThan(asked[0] as number)
    expect(asked[0]).toBeGreaterThan(1_000_000_000_000)
    expect(Number.isSafeInteger(asked[1])).toBe(true)
  })

  it("are not repeated for a place that is being drafted, or whose draft is there", async () => {
    const { want, answer, asked, wait } = setUp()
    want("a")
    want("b")
    want("a")
    await answer()
    await wait(16)
    want("a")
    expect(asked).toHaveLength(1)
  })

  it("go on after two seconds without an answer", async () => {
    const { want, asked, wait } = setUp()
    want("a")
    want("b")
    await wait(LOST - 1)
    expect(asked).toHaveLength(1)
    await wait(1)
    expect(asked).toHaveLength(2)
  })

  it("are made again after two seconds where the pointer rests, and answered then", async () => {
    const { want, answer, asked, wait, screen } = setUp()
    want("a")
    await wait(LOST)
    expect(asked).toHaveLength(2)
    await wait(200)
    await answer(asked[1])
    expect(screen("a")).toBe("a whole")
  })

  it.each(["stale", "stopped"] as const)(
    "go on at once when one is %s, without a message",
    async (reason) => {
      const { want, refuse, asked, failed } = setUp()
      want("a")
      want("b")
      refuse(reason, "replaced")
      expect(asked).toHaveLength(2)
      expect(failed).not.toHaveBeenCalled()
    },
  )

  it.each(["stale", "stopped"] as const)(
    "are made again when one is %s where the pointer rests",
    async (reason) => {
      const { want, refuse, answer, asked, wait, screen, painted } = setUp()
      want("a")
      await wait(1_500)
      refuse(reason)
      expect(asked).toHaveLength(1)
      await wait(100)
      expect(asked).toHaveLength(2)
      await answer()
      await wait(16)
      expect(screen("a")).toBe("a whole")
      expect(painted, "says nothing about how fast drafts are").toEqual([])
    },
  )

  it.each(["error", "memory"] as const)("pause after a failure (%s) and say what it was", async (reason) => {
    const { want, refuse, asked, failed, wait } = setUp()
    want("a")
    refuse(reason, "the cache was halved")
    expect(failed).toHaveBeenCalledWith("the cache was halved")
    want("b")
    expect(asked).toHaveLength(1)
    await wait(500)
    expect(asked).toHaveLength(2)
  })

  it("that cannot be sent are not tried again with every event", async () => {
    const { want, asked, wait } = setUp(false)
    want("a")
    want("b")
    expect(asked).toHaveLength(1)
    await wait(500)
    expect(asked).toHaveLength(2)
  })
})

describe("drafts that arrive", () => {
  it("late, after their request was given up, are not shown", async () => {
    const { want, answer, asked, wait, screen } = setUp()
    want("a")
    want("b")
    await wait(LOST)
    await answer(asked[0])
    expect(screen("b")).toBe("")
    await answer(asked[1])
    // Older than a second, the pointer having been there all the time.
    expect(screen("b")).toBe("")
  })

  it("more than a second after the pointer are not shown, and let the next request go", async () => {
    const { want, answer, asked, wait, screen } = setUp()
    want("a")
    await wait(OLDEST + 1)
    want("b")
    await answer()
    expect([screen("a"), asked.length]).toEqual(["", 2])
  })

  it("more than a second after the pointer because they decode slowly are not shown", async () => {
    const { want, answer, wait, screen } = setUp()
    decode = () => new Promise((done) => setTimeout(() => done({ close: () => closed++ }), 1_500))
    want("a")
    void answer()
    await wait(1_600)
    expect([screen("a"), closed]).toEqual(["", 1])
  })

  it.each([
    ["ahead of the pointer", (newest: number) => newest + 1],
    ["of a request long answered", (newest: number) => newest - 1],
    ["without a number", () => Number.NaN],
  ])("%s are ignored", async (_name, seq) => {
    const { want, answer, asked, screen } = setUp()
    want("a")
    await answer(seq(asked[0] as number))
    expect(screen("a")).toBe("")
  })

  it("twice are shown once", async () => {
    const { want, answer, painted, wait } = setUp()
    want("a")
    await Promise.all([answer(), answer()])
    await wait(50)
    expect([painted.length, closed]).toEqual([1, 0])
  })

  it("after the drag has ended are dropped, even where they were decoding", async () => {
    const { drafts, want, answer, wait, screen, asked } = setUp()
    decode = () => new Promise((done) => setTimeout(() => done({ close: () => closed++ }), 30))
    want("a")
    void answer()
    expect(drafts.end()).toBe(asked[0])
    await wait(30)
    expect([screen("a"), closed]).toEqual(["", 1])
    await answer(asked[0])
    expect(screen("a")).toBe("")
  })

  it("without a picture, or with one that does not decode, let the next request go", async () => {
    const { drafts, want, answer, asked, screen } = setUp()
    want("a")
    want("b")
    await drafts.receive({ seq: asked[0] as number, box, mime: "image/jpeg" }, undefined)
    decode = async () => Promise.reject(new Error("no picture"))
    want("c")
    await answer()
    expect([asked.length, screen("c")]).toEqual([3, ""])
  })

  it("close the picture they replace", async () => {
    const { drafts, want, answer, wait } = setUp()
    for (const place of ["a", "b", "c"]) {
      want(place)
      await answer()
      await wait(16)
    }
    expect(closed).toBe(2)
    drafts.close()
    expect([closed, vi.getTimerCount()]).toEqual([3, 0])
  })
})

describe("while the pointer moves on", () => {
  it("a fast kernel's draft is shown whole until it stalls, and not at all after a second", async () => {
    const { want, answer, wait, screen, shown } = setUp()
    want("a")
    await wait(40)
    await answer()
    await wait(16)
    want("b")
    expect(screen("b")).toBe("a whole")
    shown.mockClear()
    await wait(550)
    expect(screen("b")).toBe("a fill")
    expect(shown, "to draw the change").toHaveBeenCalled()
    shown.mockClear()
    await wait(OLDEST)
    expect(screen("b")).toBe("")
    expect(shown).toHaveBeenCalled()
    // At rest where it was drafted, a draft is as good as ever.
    expect(screen("a")).toBe("a whole")
  })

  it("of a slow kernel's draft only the filled place is shown, and the whole where the pointer rests", async () => {
    const { want, answer, wait, screen } = setUp()
    want("a")
    await wait(450)
    await answer()
    expect([screen("a"), screen("b")]).toEqual(["a whole", "a fill"])
  })

  it("one slow draft among fast ones changes nothing", async () => {
    const { want, answer, wait, screen } = setUp()
    for (const [place, lag] of [
      ["a", 40],
      ["b", 40],
      ["c", 450],
    ] as const) {
      want(place)
      await wait(lag)
      await answer()
      await wait(16)
    }
    expect(screen("d")).toBe("c whole")
  })
})

describe("the end of a drag", () => {
  it("returns the newest number, or null if nothing was requested", () => {
    const { drafts, want, asked } = setUp()
    expect(drafts.end()).toBeNull()
    want("a")
    expect(drafts.end()).toBe(asked[0])
    expect(drafts.end()).toBeNull()
  })
})
