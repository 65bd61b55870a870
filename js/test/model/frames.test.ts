import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { KernelMessage } from "../../src/kernel/messages"
import { type Frame, Frames } from "../../src/model/frames"

interface Decoding {
  bitmap: { close: ReturnType<typeof vi.fn> }
  finish: () => void
  fail: () => void
}

const jpeg = Uint8Array.from([1, 2, 3])
const meta = (run: number, seq: number): KernelMessage<"preview"> => ({
  run,
  seq,
  step: seq,
  total: 9,
  box: [0, 0, 8, 6],
  mime: "image/jpeg",
})
let decoding: Decoding[]
let paints: (() => void)[]

/** Lets promises settle, then one animation frame goes by. */
async function paint() {
  await new Promise((done) => setTimeout(done))
  for (const one of paints.splice(0)) one()
}

beforeEach(() => {
  decoding = []
  paints = []
  vi.stubGlobal("createImageBitmap", () => {
    const bitmap = { close: vi.fn() }
    return new Promise((resolve, reject) => {
      decoding.push({ bitmap, finish: () => resolve(bitmap), fail: () => reject(new Error("no picture")) })
    })
  })
  vi.stubGlobal("requestAnimationFrame", (callback: () => void) => paints.push(callback))
  vi.spyOn(console, "warn").mockImplementation(() => {})
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

function setUp() {
  const painted: number[] = []
  const shown: number[] = []
  const frames = new Frames(
    (frame: Frame) => shown.push(frame.seq),
    (frame: Frame) => painted.push(frame.seq),
  )
  frames.expect(1)
  return { frames, painted, shown }
}

describe("preview frames", () => {
  it("are acknowledged once they are on the screen, not before", async () => {
    const { frames, painted, shown } = setUp()
    void frames.receive(meta(1, 1), jpeg)
    decoding[0]?.finish()
    await new Promise((done) => setTimeout(done))
    expect([shown, painted]).toEqual([[1], []])
    await paint()
    expect(painted).toEqual([1])
  })

  it("that finish decoding late give way to a newer one", async () => {
    const { frames, shown } = setUp()
    void frames.receive(meta(1, 1), jpeg)
    void frames.receive(meta(1, 2), jpeg)
    decoding[1]?.finish()
    await paint()
    decoding[0]?.finish()
    await paint()
    expect(shown).toEqual([2])
    expect(decoding[0]?.bitmap.close).toHaveBeenCalled()
  })

  it("free the picture they replace", async () => {
    const { frames } = setUp()
    for (const seq of [1, 2]) {
      void frames.receive(meta(1, seq), jpeg)
      decoding[seq - 1]?.finish()
      await paint()
    }
    expect(decoding[0]?.bitmap.close).toHaveBeenCalled()
    expect(decoding[1]?.bitmap.close).not.toHaveBeenCalled()
  })

  it("of an older run, or of one that ended, are ignored", async () => {
    const { frames, shown } = setUp()
    frames.expect(3)
    await frames.receive(meta(2, 1), jpeg)
    void frames.receive(meta(3, 1), jpeg)
    frames.clear(3)
    decoding[0]?.finish()
    await paint()
    await frames.receive(meta(3, 2), jpeg)
    expect(shown).toEqual([])
    expect(frames.current).toBeNull()
  })

  it("that arrive out of order do not run backwards", async () => {
    const { frames, shown } = setUp()
    void frames.receive(meta(1, 4), jpeg)
    decoding[0]?.finish()
    await paint()
    await frames.receive(meta(1, 3), jpeg)
    expect(shown).toEqual([4])
  })

  it("without a picture are ignored with a warning", async () => {
    const { frames, shown } = setUp()
    await frames.receive(meta(1, 1), undefined)
    expect(shown).toEqual([])
    expect(console.warn).toHaveBeenCalledOnce()
  })

  it("that do not decode leave the one before on show", async () => {
    const { frames } = setUp()
    void frames.receive(meta(1, 1), jpeg)
    decoding[0]?.finish()
    await paint()
    const before = frames.current
    const second = frames.receive(meta(1, 2), jpeg)
    decoding[1]?.fail()
    await second
    expect(frames.current).toBe(before)
  })

  it("are waited for until the last is on the screen", async () => {
    const { frames } = setUp()
    const then = vi.fn()
    void frames.receive(meta(1, 1), jpeg)
    frames.whenPainted(then)
    decoding[0]?.finish()
    await new Promise((done) => setTimeout(done))
    expect(then).not.toHaveBeenCalled()
    await paint()
    expect(then).toHaveBeenCalledOnce()
    frames.whenPainted(then)
    expect(then).toHaveBeenCalledTimes(2)
  })

  it("are not waited for long where the page is out of sight", async () => {
    const { frames } = setUp()
    const then = vi.fn()
    void frames.receive(meta(1, 1), jpeg)
    decoding[0]?.finish()
    await new Promise((done) => setTimeout(done))
    vi.useFakeTimers()
    frames.whenPainted(then)
    vi.advanceTimersByTime(400)
    vi.useRealTimers()
    expect(then).toHaveBeenCalledOnce()
  })
})
