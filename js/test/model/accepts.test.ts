import { describe, expect, it, vi } from "vitest"
import { encodeMask } from "../../src/kernel/codec"
import type { WidgetModel } from "../../src/model/widgetmodel"
import type { FakeModel } from "../fakemodel"
import { disc } from "../masks"
import { drawPair, H, info, open, png, result, standIns, W } from "./opened"

standIns()

const arrive = () => vi.advanceTimersByTimeAsync(0)

/** A result of a drawn pair, accepted as the kernel does it. */
async function accepted() {
  const opened = await open()
  const { model, widget } = opened
  drawPair(widget)
  model.update({ ...result(4), _state: { state: "done", run: 4 } })
  await arrive()
  widget.accept()
  model.update(newPicture(model, 2))
  await arrive()
  return opened
}

function newPicture(model: FakeModel, rev: number) {
  return {
    _image: Uint8Array.from([...png, rev]),
    _image_info: { ...info, rev },
    _result: new Uint8Array(0),
    _result_info: {},
    _pairs: [],
    _masks: {},
    _selected: -1,
    _regions_rev: (model.get("_regions_rev") as number) + 1,
  }
}

/** What the kernel sends when the result is brought back with its picture and its regions. */
async function broughtBack(model: FakeModel) {
  const pair = { id: "a", matrix: [1, 0, 10, 0, 1, 0, 0, 0, 1], hasTarget: false, rev: 1 }
  model.update({
    ...newPicture(model, 3),
    ...result(4),
    _pairs: [pair],
    _masks: { "h:a": encodeMask(disc(W, H, 8, 12, 4)) },
    _selected: 0,
    _state: { state: "done", run: 4 },
  })
  await arrive()
}

const pairsOf = (widget: WidgetModel) => widget.store.regions.pairs.length

describe("an accepted result", () => {
  it("can be undone once all that was drawn since is undone", async () => {
    const { widget, sent } = await accepted()
    expect([pairsOf(widget), widget.canUndo]).toEqual([0, true])
    drawPair(widget)
    widget.undo()
    expect([sent("restore").length, pairsOf(widget)]).toEqual([0, 0])
    widget.undo()
    expect(sent("restore")[0]?.content).toMatchObject({ result: "r4" })
  })

  it("leaves what could be undone before it", async () => {
    const { model, widget } = await accepted()
    widget.undo()
    await broughtBack(model)
    expect([pairsOf(widget), widget.canUndo]).toEqual([1, true])
    widget.undo()
    expect([pairsOf(widget), widget.canUndo]).toEqual([0, false])
  })

  it("leaves what was drawn when it was accepted, though it was made of other regions", async () => {
    const { model, widget } = await open()
    drawPair(widget)
    model.update({ ...result(4), _state: { state: "done", run: 4 } })
    await arrive()
    widget.undo()
    widget.accept()
    model.update(newPicture(model, 2))
    await arrive()
    widget.undo()
    await broughtBack(model)
    expect([pairsOf(widget), widget.canUndo, model.get("_pairs")]).toEqual([0, false, []])
  })

  it("can be accepted again, unless something else is done first", async () => {
    const { model, widget, sent } = await accepted()
    widget.undo()
    await broughtBack(model)
    expect(widget.canRedo).toBe(true)
    widget.redo()
    expect(sent("accept")).toHaveLength(2)
    model.update(newPicture(model, 4))
    await arrive()
    expect([widget.canUndo, widget.canRedo]).toEqual([true, false])
  })

  it("cannot be undone once another picture was opened", async () => {
    const { model, widget } = await accepted()
    model.update(newPicture(model, 5))
    await arrive()
    expect(widget.canUndo).toBe(false)
  })

  it("is forgotten if the kernel has it no more, and not asked for twice", async () => {
    const { model, widget, sent } = await accepted()
    widget.undo()
    widget.undo()
    expect(sent("restore")).toHaveLength(1)
    model.receive("error", { run: null, code: "bad-input", message: "there is no result" })
    expect(widget.canUndo).toBe(false)
  })
})

describe("a picture that is on its way", () => {
  /** A drawn pair with its result on show, and a picture that is decoded when told. */
  async function waiting() {
    const opened = await open()
    const { model, widget } = opened
    drawPair(widget)
    model.update({ ...result(4), _state: { state: "done", run: 4 } })
    await arrive()
    let decoded = () => {}
    const bitmap = { width: W, height: H, close: () => {} }
    vi.stubGlobal("createImageBitmap", () => new Promise((done) => (decoded = () => done(bitmap))))
    const decode = async () => {
      decoded()
      await arrive()
    }
    return { ...opened, decode }
  }

  it("is waited for by undo and redo, whenever they are pressed", async () => {
    const { model, widget, sent, decode } = await waiting()
    widget.accept()
    widget.undo()
    model.update(newPicture(model, 2))
    await arrive()
    expect([widget.changing, widget.canUndo, pairsOf(widget), sent("restore").length]).toEqual([
      true,
      true,
      1,
      0,
    ])
    await decode()
    expect(sent("restore")[0]?.content).toMatchObject({ result: "r4" })
    expect([widget.canUndo, widget.canRedo]).toEqual([true, true])
    widget.redo()
    vi.stubGlobal("createImageBitmap", async () => ({ width: W, height: H, close: () => {} }))
    await broughtBack(model)
    expect(sent("accept")).toHaveLength(2)
  })

  it("takes no drawing for the one before it, nor a run", async () => {
    const { model, widget, sent, decode } = await waiting()
    widget.accept()
    const { regions } = widget.store
    drawPair(widget)
    expect([widget.store.regions, widget.canDraw, widget.store.beginStroke("handle")]).toEqual([
      regions,
      false,
      null,
    ])
    widget.run()
    expect(sent("run")).toHaveLength(0)
    model.update(newPicture(model, 2))
    await arrive()
    await decode()
    expect([pairsOf(widget), widget.changing, model.get("_pairs")]).toEqual([0, false, []])
  })

  it("is given up when it does not decode, and the one before stays usable", async () => {
    const { model, widget, sent } = await waiting()
    vi.stubGlobal("createImageBitmap", async () => Promise.reject(new Error("broken")))
    widget.accept()
    model.update(newPicture(model, 2))
    await arrive()
    expect(widget.failure?.message).toContain("does not decode")
    expect(widget.changing).toBe(false)
    widget.screen.showRegions()
    const { regions } = widget.store
    drawPair(widget)
    expect(widget.store.regions).not.toBe(regions)
    widget.undo()
    expect([widget.store.regions, sent("restore").length]).toEqual([regions, 0])
  })

  it("brings its regions with it, of whatever size they are", async () => {
    const { model, widget, decode } = await waiting()
    const pair = { id: "a", matrix: [1, 0, 10, 0, 1, 0, 0, 0, 1], hasTarget: false, rev: 1 }
    model.update({
      ...newPicture(model, 2),
      _image_info: { ...info, width: 2 * W, height: 2 * H, rev: 2 },
      _pairs: [pair],
      _masks: { "h:a": encodeMask(disc(2 * W, 2 * H, 8, 12, 4)) },
    })
    await arrive()
    expect([widget.failure, widget.canUndo]).toEqual([null, false])
    await decode()
    expect(widget.failure).toBeNull()
    expect(widget.store.regions.pairs[0]?.handle.width).toBe(2 * W)
  })

  it("can still be undone though a run has failed meanwhile", async () => {
    const { model, widget, decode } = await waiting()
    widget.accept()
    model.receive("error", { run: 5, code: "failed", message: "no" })
    model.update(newPicture(model, 2))
    await arrive()
    await decode()
    expect(widget.canUndo).toBe(true)
  })

  it("is not waited for once the kernel has gone", async () => {
    const { model, widget } = await waiting()
    model.receive("ready", { kernel: "python", busy: false, run: 4 })
    widget.accept()
    expect(widget.changing).toBe(true)
    Object.assign(model, { widget_manager: { kernel: { status: "dead" } } })
    await vi.advanceTimersByTimeAsync(2_000)
    expect([widget.liveness, widget.changing]).toEqual(["gone", false])
  })
})

describe("an earlier result", () => {
  /** The result of an earlier picture is asked for while a pair is drawn on the accepted one. */
  async function broughtBackFromTheStrip() {
    const opened = await accepted()
    drawPair(opened.widget)
    opened.widget.restore("r4")
    await broughtBack(opened.model)
    return opened
  }

  it("can be undone, though it brings its picture with it", async () => {
    const { model, widget, sent } = await broughtBackFromTheStrip()
    expect([widget.canUndo, widget.canRedo]).toEqual([true, false])
    widget.undo()
    expect(sent("accept").at(-1)?.content).toMatchObject({ result: "r4" })
    model.update(newPicture(model, 5))
    await arrive()
    expect([pairsOf(widget), widget.canRedo, (model.get("_pairs") as unknown[]).length]).toEqual([
      1,
      false,
      1,
    ])
    widget.undo()
    expect([pairsOf(widget), widget.canUndo]).toEqual([0, true])
    widget.undo()
    expect(sent("restore").at(-1)?.content).toMatchObject({ result: "r4" })
    await broughtBack(model)
    expect([widget.canUndo, widget.canRedo]).toEqual([true, true])
  })

  it("of the picture on show is one step among the others", async () => {
    const { model, widget } = await open()
    model.update({ ...result(4), _state: { state: "done", run: 4 } })
    await arrive()
    widget.restore("r4")
    model.update({ ...result(4), _regions_rev: 9 })
    await arrive()
    model.update(newPicture(model, 2))
    await arrive()
    expect(widget.canUndo).toBe(false)
  })

  it("leads back to a picture that was opened, by its own results", async () => {
    const { model, widget, sent } = await accepted()
    model.update(newPicture(model, 7))
    await arrive()
    drawPair(widget)
    model.update({ ...result(6), _state: { state: "done", run: 6 } })
    await arrive()
    widget.restore("r4")
    await broughtBack(model)
    widget.undo()
    expect(sent("restore").at(-1)?.content).toMatchObject({ result: "r6" })
    model.update({ ...newPicture(model, 9), ...result(6) })
    await arrive()
    expect([pairsOf(widget), widget.canRedo]).toEqual([1, false])
  })
})
