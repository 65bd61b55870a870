import { describe, expect, it, vi } from "vitest"
import { decodeMask } from "../../src/kernel/codec"
import { disc, textOf } from "../masks"
import { drawPair, H, info, open, png, result, standIns, W } from "./opened"

standIns()

describe("opening", () => {
  it("greets the kernel with what there already is", async () => {
    const { sent } = await open()
    expect(sent("hello")[0]?.content).toMatchObject({ have: { image: 1, result: null } })
  })

  it("asks for a picture whose bytes did not come", async () => {
    const { widget, sent, model } = await open({ _image: new Uint8Array(0) })
    expect(sent("need")[0]?.content).toMatchObject({ what: "image" })
    expect(widget.picture).toBeNull()
    model.receive("blob", { what: "image", mime: "image/png" }, [png])
    await vi.advanceTimersByTimeAsync(0)
    expect(widget.picture).toMatchObject({ width: W, height: H })
  })

  it("says so when the picture does not decode, and goes on", async () => {
    vi.stubGlobal("createImageBitmap", async () => Promise.reject(new Error("broken")))
    const { widget } = await open()
    expect(widget.failure?.message).toContain("does not decode")
  })

  it("shows a result that was there before, as after a reload", async () => {
    const { widget } = await open({ ...result(4), _state: { state: "done", run: 4 } })
    expect(widget.screen.showing).toBe("result")
  })
})

describe("a run", () => {
  it("needs a pair with a place to go, and says so", async () => {
    const { widget, sent } = await open()
    const said = vi.fn()
    widget.notified.on(said)
    widget.run()
    expect(sent("run")).toHaveLength(0)
    expect(said).toHaveBeenCalledWith(expect.stringContaining("drag it to its place"))
  })

  it("is numbered after the newest one and carries settings and masks", async () => {
    const { widget, sent } = await open()
    drawPair(widget)
    widget.settings.change({ prompt: "a cup" })
    widget.run({ seed: 9 })
    const run = sent("run")[0]
    expect(run?.content).toMatchObject({ run: 5, params: { prompt: "a cup", seed: 9 }, rev: 1 })
    const handle = decodeMask(new Uint8Array(run?.buffers[0] as ArrayBuffer), W, H)
    expect(textOf(handle)).toEqual(textOf(disc(W, H, 8, 12, 4)))
  })

  it("saves changed settings before it is sent", async () => {
    const { widget, model } = await open()
    drawPair(widget)
    widget.settings.change({ steps: 7 })
    widget.run()
    expect(model.patches.at(-1)?.settings).toMatchObject({ steps: 7 })
  })

  it("shows its steps in words and ends with the result", async () => {
    const { widget, model } = await open()
    drawPair(widget)
    widget.run()
    model.receive("status", { state: "running", step: 3, total: 8, eta: 2, message: "", run: 5 })
    expect(widget.status).toBe("Step 3 of 8, 2 s left")
    model.update(result(5))
    model.receive("done", { run: 5, result: "r5", seconds: 2 })
    await vi.advanceTimersByTimeAsync(0)
    expect(widget.screen.showing).toBe("result")
    expect(widget.status).toBe("Result: seed 3, 2.0 s")
  })

  it("shows the result as well when its traits come after the end", async () => {
    const { widget, model } = await open()
    drawPair(widget)
    widget.run()
    model.receive("done", { run: 5, result: "r5", seconds: 2 })
    model.update(result(5))
    await vi.advanceTimersByTimeAsync(0)
    expect(widget.screen.showing).toBe("result")
  })

  it("ignores reports about an older run", async () => {
    const { widget, model } = await open()
    drawPair(widget)
    widget.run()
    widget.run()
    model.receive("status", { state: "running", step: 7, total: 8, message: "", run: 5 })
    model.receive("error", { run: 5, code: "engine", message: "old", remedy: "" })
    model.receive("done", { run: 5, result: "r5", seconds: 2 })
    expect(widget.runs.progress).toMatchObject({ run: 6, state: "running", step: 0 })
    expect(widget.failure).toBeNull()
  })

  it("that has ended is not restarted by a late report", async () => {
    const { widget, model } = await open()
    drawPair(widget)
    widget.run()
    model.receive("stopped", { run: 5, step: 2 })
    model.update({ _state: { state: "running", step: 2, total: 8, run: 5 } })
    expect(widget.runs.busy).toBe(false)
    expect(widget.status).toBe("Stopped at step 2")
  })

  it("that has not begun to step says that it stopped, and nothing of a step", async () => {
    const { widget, model } = await open()
    drawPair(widget)
    widget.run()
    model.receive("stopped", { run: 5, step: 0 })
    expect(widget.status).toBe("Stopped")
  })

  it("stops once, and says so until it has", async () => {
    const { widget, model, sent } = await open()
    drawPair(widget)
    widget.run()
    widget.stop()
    model.receive("status", { state: "running", step: 2, total: 8, message: "", run: 5 })
    expect(sent("stop")).toHaveLength(1)
    expect(widget.runs.progress.state).toBe("stopping")
  })

  it("that fails says what happened and what to do", async () => {
    const { widget, model } = await open()
    drawPair(widget)
    widget.run()
    model.receive("error", {
      run: 5,
      code: "memory",
      message: "Out of memory.",
      remedy: "Use a smaller picture.",
    })
    expect(widget.failure).toEqual({ message: "Out of memory.", remedy: "Use a smaller picture." })
    expect(widget.runs.busy).toBe(false)
  })

  it.each([
    ["stopped", { run: 5, step: 2 }, false],
    ["error", { run: 5, code: "engine", message: "Broken.", remedy: "" }, false],
    ["done", { run: 5, result: "r5", seconds: 2 }, true],
  ])("that is %s keeps its frame on show only while its result is awaited", async (type, fields, kept) => {
    const { widget, model } = await open()
    vi.stubGlobal("requestAnimationFrame", (callback: () => void) => setTimeout(callback, 16))
    drawPair(widget)
    widget.run()
    const frame = { run: 5, seq: 1, step: 1, total: 1, box: [0, 0, W, H] }
    model.receive("preview", frame, [png])
    await vi.advanceTimersByTimeAsync(20)
    model.receive(type, fields)
    expect(widget.runs.frames.current !== null).toBe(kept)
    if (!kept) return
    model.update(result(5))
    await vi.advanceTimersByTimeAsync(0)
    expect([widget.screen.showing, widget.runs.frames.current]).toEqual(["result", null])
  })

  it("shows its last frame before the result, even if the end came while it was decoded", async () => {
    const { widget, model, sent } = await open()
    vi.stubGlobal("requestAnimationFrame", (callback: () => void) => setTimeout(callback, 16))
    drawPair(widget)
    widget.run()
    const frame = { run: 5, seq: 1, step: 1, total: 1, box: [0, 0, W, H] }
    model.receive("preview", frame, [png])
    model.update(result(5))
    model.receive("done", { run: 5, result: "r5", seconds: 2 })
    await vi.advanceTimersByTimeAsync(5)
    expect([widget.screen.showing, widget.runs.frames.current?.seq]).toEqual(["regions", 1])
    await vi.advanceTimersByTimeAsync(20)
    expect(sent("ack")[0]?.content).toMatchObject({ run: 5, seq: 1 })
    expect([widget.screen.showing, widget.runs.frames.current]).toEqual(["result", null])
  })

  it("too large to be sent is reported and not begun", async () => {
    const { widget, sent } = await open()
    drawPair(widget)
    vi.spyOn(widget.host, "send").mockImplementation(() => {
      widget.host.refused.emit()
      return false
    })
    widget.run()
    expect([widget.runs.busy, sent("run").length]).toEqual([false, 0])
    expect(widget.failure?.message).toContain("too large to send")
  })

  it("started elsewhere is followed", async () => {
    const { widget, model } = await open()
    model.receive("status", { state: "running", step: 1, total: 4, message: "", run: 9 })
    expect(widget.runs.progress).toMatchObject({ run: 9, step: 1 })
  })
})

describe("a result", () => {
  it("is dropped and the regions are kept when it is discarded", async () => {
    const { widget, sent } = await open({ ...result(4), _state: { state: "done", run: 4 } })
    drawPair(widget)
    widget.discard()
    expect(sent("discard")[0]?.content).toMatchObject({ result: "r4" })
    expect([widget.screen.showing, widget.results.picture]).toEqual(["regions", null])
    expect(widget.store.regions.pairs).toHaveLength(1)
  })

  it("that is accepted is replaced by the new picture", async () => {
    const { widget, model, sent } = await open({ ...result(4), _state: { state: "done", run: 4 } })
    widget.accept()
    expect(sent("accept")[0]?.content).toMatchObject({ result: "r4" })
    model.update({ _image_info: { ...info, rev: 2 }, _result: new Uint8Array(0), _result_info: {} })
    await vi.advanceTimersByTimeAsync(0)
    expect(widget.screen.showing).toBe("regions")
  })

  it("asks for its bytes when they did not come", async () => {
    const { sent } = await open({ ...result(4), _result: new Uint8Array(0) })
    expect(sent("need")[0]?.content).toMatchObject({ what: "result", result: "r4" })
  })
})

describe("a new picture", () => {
  it("forgets the history of the old one", async () => {
    const { widget, model } = await open()
    drawPair(widget)
    model.update({
      _image: png.slice(),
      _image_info: { ...info, rev: 2 },
      _pairs: [],
      _masks: {},
      _regions_rev: 2,
    })
    await vi.advanceTimersByTimeAsync(0)
    expect(widget.store.regions.pairs).toHaveLength(0)
    expect(widget.store.canUndo).toBe(false)
  })
})

describe("closing", () => {
  it("leaves no listener and no timer", async () => {
    const { model, widget } = await open()
    expect(model.listening).toBeGreaterThan(5)
    widget.close()
    expect(model.listening).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })
})
