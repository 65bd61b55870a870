import { describe, expect, it, vi } from "vitest"
import { carriedOutlines } from "../../src/canvas/carriedline"
import { allCarried } from "../../src/document/placement"
import { changePair } from "../../src/document/regions"
import { IDENTITY, translation } from "../../src/geometry/matrix"
import { encodeMask } from "../../src/kernel/codec"
import { carryOf, otherCarry } from "../../src/model/carrying"
import type { WidgetModel } from "../../src/model/widgetmodel"
import { disc, textOf } from "../masks"
import { drawPair, H, open, standIns, W } from "./opened"

standIns()

const object = disc(W, H, 8, 12, 2)
const larger = disc(W, H, 8, 12, 6)

function carried(widget: WidgetModel, fields: Record<string, unknown> = {}) {
  const pair = widget.store.regions.pairs[0]?.id
  return { pair, rev: 1, verdict: "object", words: "carrying the object found", larger: false, ...fields }
}

describe("a carried message", () => {
  it("lets the drag preview carry exactly the mask, and outlines it at both places", async () => {
    const { widget, model } = await open()
    drawPair(widget)
    const { store } = widget
    expect(textOf(allCarried(store.regions, store)[0]?.mask as never)).toEqual(textOf(disc(W, H, 8, 12, 4)))
    const pair = store.regions.pairs[0] as never
    expect(carriedOutlines(pair, store)).toEqual([])
    model.receive("carried", carried(widget), [encodeMask(object)])
    expect(textOf(allCarried(store.regions, store)[0]?.mask as never)).toEqual(textOf(object))
    const lines = carriedOutlines(pair, store)
    expect(lines.map(({ matrix }) => matrix ?? IDENTITY)).toEqual([IDENTITY, translation(10, 0)])
    expect(lines.map(({ mask }) => textOf(mask))).toEqual([textOf(object), textOf(object)])
  })

  it("of an older revision of the handle is dropped", async () => {
    const { widget, model } = await open()
    drawPair(widget)
    model.receive("carried", carried(widget, { rev: 0 }), [encodeMask(object)])
    expect(widget.store.findings.of(widget.store.regions.pairs[0] as never)).toBeNull()
  })

  it("says in words where the object goes on, or that nothing was found", async () => {
    const { widget, model } = await open()
    drawPair(widget)
    const said = vi.fn()
    widget.notified.on(said)
    model.receive("carried", carried(widget), [encodeMask(object)])
    expect(said).not.toHaveBeenCalled()
    const words = "the object goes on beyond the handle"
    const beyond = carried(widget, { verdict: "beyond", words, larger: true })
    model.receive("carried", beyond, [encodeMask(object), encodeMask(larger)])
    expect(said).toHaveBeenLastCalledWith("The object goes on beyond the handle")
    const found = widget.store.findings.of(widget.store.regions.pairs[0] as never)
    expect(textOf(found?.larger as never)).toEqual(textOf(larger))
    const none = carried(widget, { verdict: "painted", words: "carrying all that is painted" })
    model.receive("carried", none, [encodeMask(disc(W, H, 8, 12, 4))])
    expect(said).toHaveBeenLastCalledWith("Carrying all that is painted")
    expect(carriedOutlines(widget.store.regions.pairs[0] as never, widget.store)).toEqual([])
  })

  it("with a mask that cannot be read is ignored", async () => {
    const { widget, model } = await open()
    drawPair(widget)
    model.receive("carried", carried(widget), [Uint8Array.from([1, 2, 3])])
    model.receive("carried", carried(widget), [])
    expect(widget.store.findings.of(widget.store.regions.pairs[0] as never)).toBeNull()
    expect(console.warn).toHaveBeenCalledTimes(2)
  })
})

describe("what a pair carries", () => {
  it("is the settings' as long as the pair does not say it", async () => {
    const { widget } = await open()
    drawPair(widget)
    const pair = widget.store.regions.pairs[0] as never
    expect([carryOf(pair, "auto"), carryOf(pair, "none")]).toEqual(["object", "painted"])
    expect(["object", "painted", "mask"].map((carry) => otherCarry(carry as never))).toEqual([
      "painted",
      "object",
      "object",
    ])
  })

  it("is written into the traits and sent with a run", async () => {
    const { widget, model, sent } = await open()
    drawPair(widget)
    widget.store.commit(changePair(widget.store.regions, 0, { carry: "painted" }))
    expect((model.state._pairs as { carry: string }[])[0]?.carry).toBe("painted")
    widget.run()
    expect(sent("run")[0]?.content).toMatchObject({ pairs: [{ carry: "painted", chosen: null }] })
  })

  it("survives the way through the page where Python chose a mask", async () => {
    const handle = disc(W, H, 8, 12, 4)
    const entry = { id: "p", rev: 1, matrix: translation(10, 0), hasTarget: true, carry: "mask" }
    const masks = { "h:p": encodeMask(handle), "c:p": encodeMask(object) }
    const { widget, model, sent } = await open({ _pairs: [entry], _masks: masks, _regions_rev: 1 })
    widget.store.commit(changePair(widget.store.regions, 0, { name: "cup" }))
    expect((model.state._masks as Record<string, Uint8Array>)["c:p"]).toEqual(encodeMask(object))
    widget.run()
    const run = sent("run")[0] as ReturnType<typeof sent>[number]
    const [pair] = run.content.pairs as [{ chosen: number }]
    expect(new Uint8Array(run.buffers[pair.chosen] as ArrayBuffer)).toEqual(encodeMask(object))
  })
})
