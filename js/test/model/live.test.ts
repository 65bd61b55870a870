import { describe, expect, it, vi } from "vitest"
import { addPair, changePair, nudge, withMask, withMatrix } from "../../src/document/regions"
import { type Matrix, translation } from "../../src/geometry/matrix"
import { decodeMask } from "../../src/kernel/codec"
import { DEFAULTS } from "../../src/model/settings"
import { disc, textOf } from "../masks"
import { drawPair, H, info, open, png, result, standIns, W } from "./opened"

standIns()

const box = [0, 0, W, H]
const quick = { draft_ms: 40, live: true, device: "cpu", dtype: "float32", memory: 1, budget: 2, note: "" }

/** A widget whose kernel answers and drafts quickly, with one pair that has no place yet, or has one. */
async function openLive({ placed = false, measured = quick as object, state = {} } = {}) {
  vi.stubGlobal("requestAnimationFrame", (callback: () => void) => setTimeout(callback, 16))
  const opened = await open(state)
  const { model, widget, sent } = opened
  model.receive("ready", { kernel: "7", busy: false, run: 4 })
  if (placed) drawPair(widget)
  else widget.store.commit(withMask(addPair(widget.store.regions), 0, "handle", disc(W, H, 8, 12, 4)))
  await vi.advanceTimersByTimeAsync(1_000)
  model.receive("measured", { ...measured })
  const pairId = widget.store.regions.pairs[0]?.id ?? ""
  return {
    ...opened,
    /** The pointer moves the ghost, as the tool and the canvas have it. */
    move(dx: number, painted = false) {
      widget.store.ghost = { pairId, matrix: translation(dx, 0), painted }
      widget.store.changed.emit()
      widget.live.follow(performance.now())
    },
    release: () =>
      widget.store.commit(
        withMatrix(widget.store.regions, 0, widget.store.ghost?.matrix ?? translation(0, 0)),
      ),
    async answer() {
      model.receive("drafted", { seq: sent("draft").at(-1)?.content.seq, box, mime: "image/jpeg" }, [png])
      await vi.advanceTimersByTimeAsync(20)
    },
    looks: () => widget.live.shownDraft?.whole ?? null,
  }
}

describe("live editing is on", () => {
  it.each([
    [null, true, true],
    [null, false, false],
    [true, false, true],
    [false, true, false],
  ])("where the setting is %s and the kernel measured %s: %s", async (live, measured, on) => {
    const { widget } = await openLive({ measured: { live: measured }, state: { settings: { live } } })
    expect(widget.live.on).toBe(on)
  })

  it("never without a picture or a kernel, and says why", async () => {
    const { widget } = await open({ settings: { live: true } })
    await vi.advanceTimersByTimeAsync(5_500)
    expect([widget.live.on, widget.live.obstacle]).toEqual([false, "No kernel: read only"])
    const empty = await open({ settings: { live: true }, _image: new Uint8Array(0), _image_info: {} })
    expect([empty.widget.live.on, empty.widget.live.obstacle]).toEqual([false, "Open a picture first"])
  })

  it("or off as a click chose, for good", async () => {
    const { widget, model } = await openLive()
    widget.live.toggle()
    model.receive("measured", quick)
    expect([widget.live.on, model.patches.at(-1)?.settings]).toMatchObject([false, { live: false }])
    widget.live.toggle()
    model.receive("measured", { ...quick, live: false })
    expect([widget.live.on, widget.settings.current.live]).toEqual([true, true])
  })
})

describe("a drag while it is off", () => {
  it("asks for nothing and runs nothing", async () => {
    const { move, release, sent } = await openLive({ state: { settings: { live: false } } })
    move(5)
    release()
    await vi.advanceTimersByTimeAsync(5_000)
    expect([sent("draft").length, sent("run").length, sent("drag_ended").length]).toEqual([0, 0, 0])
  })
})

describe("a drag while it is on", () => {
  it("asks for a draft of where the ghost is, complete in itself", async () => {
    const { move, sent, widget } = await openLive()
    move(5)
    const draft = sent("draft")[0]
    const id = widget.store.regions.pairs[0]?.id
    expect(draft?.content).toMatchObject({
      params: { ...DEFAULTS, live: null },
      rev: 1,
      pairs: [{ id, matrix: [...translation(5, 0)], handle: 0, target: null }],
      protect: null,
    })
    expect(draft?.content.run).toBeUndefined()
    expect(draft?.buffers).toHaveLength(1)
  })

  it("of a painted target asks with the target where it is now", async () => {
    const { move, sent, widget, answer } = await openLive()
    widget.store.commit(withMask(widget.store.regions, 0, "target", disc(W, H, 20, 12, 3)))
    await answer()
    move(4, true)
    expect(sent("draft")[1]?.content.pairs).toMatchObject([{ matrix: null, handle: 0, target: 1 }])
    const bytes = new Uint8Array(sent("draft")[1]?.buffers[1] as ArrayBuffer)
    expect(textOf(decodeMask(bytes, W, H))).toEqual(textOf(disc(W, H, 24, 12, 3)))
  })

  it("shows the draft until the run that follows has something to show", async () => {
    const { move, release, answer, sent, looks, model, widget } = await openLive()
    move(5)
    await answer()
    expect(looks()).toBe(true)
    release()
    expect([sent("run").length, sent("drag_ended").length, looks()]).toEqual([1, 0, true])
    const frame = { run: 5, seq: 1, step: 1, total: 9, box }
    model.receive("preview", frame, [png])
    await vi.advanceTimersByTimeAsync(20)
    expect([looks(), widget.runs.frames.current?.seq]).toEqual([null, 1])
  })

  it("ends drafts with the run: those that arrive after the release are not shown", async () => {
    const { move, release, answer, looks } = await openLive()
    move(5)
    release()
    await answer()
    expect(looks()).toBeNull()
  })

  it("that is cancelled tells the kernel, once, and takes the draft away", async () => {
    const { move, answer, sent, looks, widget } = await openLive()
    move(5)
    await answer()
    widget.store.cancelGesture()
    widget.store.cancelGesture()
    expect(sent("drag_ended").map((m) => m.content.seq)).toEqual([sent("draft")[0]?.content.seq])
    expect([looks(), sent("run").length]).toEqual([null, 0])
  })

  it("ends where the picture changes, and the old picture's draft is not shown", async () => {
    const { move, answer, model, sent, looks } = await openLive()
    move(5)
    model.update({ _image: png.slice(), _image_info: { ...info, rev: 2 }, _pairs: [], _masks: {} })
    await vi.advanceTimersByTimeAsync(0)
    await answer()
    expect([looks(), sent("drag_ended").length]).toEqual([null, 1])
  })

  it("shows why the kernel's drafts fail, and goes on", async () => {
    const { move, model, sent, widget } = await openLive()
    const said = vi.fn()
    widget.notified.on(said)
    move(5)
    const { seq } = sent("draft")[0]?.content ?? {}
    model.receive("undrafted", { seq, reason: "memory", message: "out of memory: the cache was halved" })
    expect(said).toHaveBeenCalledWith("out of memory: the cache was halved")
    await vi.advanceTimersByTimeAsync(1_000)
    move(6)
    expect(sent("draft")).toHaveLength(2)
  })
})

describe("what is shown when a drag begins", () => {
  it("is hidden, if a result, and comes back when the drag is cancelled", async () => {
    const state = { ...result(4), _state: { state: "done", run: 4 } }
    const { move, widget } = await openLive({ placed: true, state })
    widget.screen.showResult()
    widget.live.seize(true)
    move(5)
    expect(widget.screen.showing).toBe("regions")
    widget.store.cancelGesture()
    expect(widget.screen.showing).toBe("result")
  })

  it("is stopped, if a run; drafts begin once it is over, and Escape runs it again", async () => {
    const { move, widget, model, sent } = await openLive({ placed: true })
    widget.run()
    widget.live.seize(true)
    move(5)
    expect([sent("stop").length, sent("draft").length]).toEqual([1, 0])
    model.receive("stopped", { run: 5, step: 2 })
    expect(sent("draft")).toHaveLength(1)
    widget.store.cancelGesture()
    expect(sent("run").map((m) => m.content.run)).toEqual([5, 6])
  })

  it("is not covered by a result that comes in the middle of the drag", async () => {
    const { move, widget, model } = await openLive({ placed: true })
    widget.run()
    widget.live.seize(true)
    move(5)
    model.update(result(5))
    model.receive("done", { run: 5, result: "r5", seconds: 2 })
    await vi.advanceTimersByTimeAsync(50)
    expect(widget.screen.showing).toBe("regions")
  })
})

describe("other changes of the regions", () => {
  const commit = (change: (s: Awaited<ReturnType<typeof open>>["widget"]) => void) => async () => {
    const opened = await openLive({ placed: true })
    change(opened.widget)
    return opened
  }
  const moved = (dx: number) => commit((s) => s.store.commit(nudge(s.store.regions, 0, "target", dx, 0)))

  it("by keys are drafted, and run once the keys rest", async () => {
    const { widget, sent } = await moved(1)()
    expect(sent("draft")).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(300)
    widget.store.commit(nudge(widget.store.regions, 0, "target", 1, 0))
    await vi.advanceTimersByTimeAsync(300)
    expect(sent("run")).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(200)
    expect(sent("run")).toHaveLength(1)
  })

  it("by a stroke are run after a pause, without drafts", async () => {
    const change = commit((s) => s.store.commit(withMask(s.store.regions, 0, "handle", disc(W, H, 9, 12, 4))))
    const { sent } = await change()
    await vi.advanceTimersByTimeAsync(500)
    expect([sent("draft").length, sent("run").length]).toEqual([0, 1])
  })

  it("that switch what is carried are run after a pause, in one undo step", async () => {
    const { widget, sent } = await openLive({ placed: true })
    widget.store.commit(changePair(widget.store.regions, 0, { carry: "painted" }))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(sent("run").at(-1)?.content).toMatchObject({ pairs: [{ carry: "painted" }] })
    widget.store.undo()
    expect(widget.store.regions.pairs[0]?.carry).toBeNull()
  })

  it("that do not concern the edit run nothing", async () => {
    const change = commit((s) =>
      s.store.commit(changePair(s.store.regions, 0, { name: "cup", locked: true })),
    )
    const { sent } = await change()
    await vi.advanceTimersByTimeAsync(500)
    expect(sent("run")).toHaveLength(0)
  })

  it("stop a run that they outdate", async () => {
    const { widget, sent } = await openLive({ placed: true })
    widget.run()
    const turned: Matrix = [0, -1, 30, 1, 0, 4, 0, 0, 1]
    widget.store.commit(withMatrix(widget.store.regions, 0, turned))
    expect([sent("stop").length, widget.runs.progress.state]).toEqual([1, "stopping"])
  })

  it("remove the draft of what was there before", async () => {
    const { widget, answer, looks } = await openLive({ placed: true })
    widget.store.commit(nudge(widget.store.regions, 0, "target", 1, 0))
    await answer()
    expect(looks()).toBe(true)
    widget.store.commit(withMask(widget.store.regions, 0, "handle", disc(W, H, 9, 12, 4)))
    expect(looks()).toBeNull()
  })
})

describe("the read-out", () => {
  it("asks the kernel for its numbers while any view shows it", async () => {
    const { widget, sent } = await openLive()
    widget.live.setReading("a", true)
    widget.live.setReading("b", true)
    widget.live.setReading("a", false)
    widget.live.setReading("b", false)
    widget.live.setReading("b", false)
    expect(sent("stats").map((m) => m.content.on)).toEqual([true, false])
  })
})
