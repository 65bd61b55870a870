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
