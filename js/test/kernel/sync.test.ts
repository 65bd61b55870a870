import { describe, expect, it, vi } from "vitest"
import { addPair, emptyRegions, withMask, withMatrix } from "../../src/document/regions"
import { RegionStore } from "../../src/document/store"
import { isEmpty } from "../../src/geometry/mask"
import { translation } from "../../src/geometry/matrix"
import { decodeMask, encodeMask } from "../../src/kernel/codec"
import { requestOf } from "../../src/kernel/entries"
import { Host } from "../../src/kernel/host"
import { RegionSync } from "../../src/kernel/sync"
import { FakeModel } from "../fakemodel"
import { disc, textOf } from "../masks"

const [W, H] = [40, 30]
const blob = disc(W, H, 12, 12, 5)

function setUp(state: Record<string, unknown> = {}) {
  const model = new FakeModel({ _pairs: [], _masks: {}, _regions_rev: 0, _selected: -1, ...state })
  const store = new RegionStore()
  const complain = vi.fn()
  const sync = new RegionSync(new Host(model), store, complain)
  sync.reset(W, H)
  return { model, store, sync, complain }
}

const draw = (store: RegionStore) => store.commit(withMask(addPair(store.regions), 0, "handle", blob))

describe("a gesture", () => {
  it("reaches the kernel as one patch, masks and all", () => {
    const { model, store } = setUp()
    draw(store)
    expect(model.patches).toHaveLength(1)
    expect(Object.keys(model.patches[0] ?? {}).sort()).toEqual([
      "_masks",
      "_pairs",
      "_regions_rev",
      "_selected",
    ])
    const id = store.regions.pairs[0]?.id
    const masks = model.patches[0]?._masks as Record<string, Uint8Array>
    expect(Object.keys(masks)).toEqual([`h:${id}`])
    expect(textOf(decodeMask(masks[`h:${id}`] as Uint8Array, W, H))).toEqual(textOf(blob))
  })

  it("does not come back as a change of its own", async () => {
    const { store } = setUp()
    draw(store)
    const before = store.regions
    await Promise.resolve()
    expect(store.regions).toBe(before)
  })

  it("that changes nothing is not sent", () => {
    const { model, store } = setUp()
    store.commit(store.regions)
    expect(model.patches).toHaveLength(0)
  })

  it("undone is sent as well", () => {
    const { model, store } = setUp()
    draw(store)
    store.undo()
    expect(model.patches).toHaveLength(2)
    expect(model.patches[1]).toMatchObject({ _pairs: [], _masks: {}, _regions_rev: 2 })
  })
})

describe("regions from the kernel", () => {
  const wire = {
    id: "p",
    name: "cup",
    color: 3,
    matrix: null,
    visible: true,
    locked: false,
    rev: 4,
    hasTarget: false,
  }

  it("are shown once all traits of the patch have arrived, and can be undone", async () => {
    const { model, store } = setUp()
    model.update({
      _pairs: [wire],
      _masks: { "h:p": encodeMask(blob).slice() },
      _regions_rev: 1,
      _selected: 0,
    })
    await Promise.resolve()
    expect(store.regions.pairs[0]).toMatchObject({ id: "p", name: "cup", color: 3, rev: 4 })
    expect(textOf(store.regions.pairs[0]?.handle ?? blob)).toEqual(textOf(blob))
    store.undo()
    expect(store.regions.pairs).toHaveLength(0)
  })

  it("with a matrix alone get the target that it means", async () => {
    const { model, store } = setUp()
    const pair = { ...wire, matrix: [...translation(10, 3)] }
    model.update({ _pairs: [pair], _masks: { "h:p": encodeMask(blob).slice() }, _regions_rev: 1 })
    await Promise.resolve()
    expect(textOf(store.regions.pairs[0]?.target ?? blob)).toEqual(textOf(disc(W, H, 22, 15, 5)))
  })

  it("of an older revision are echoes and change nothing", async () => {
    const { model, store } = setUp({ _regions_rev: 5 })
    draw(store)
    model.update({ _pairs: [], _masks: {}, _regions_rev: 5 })
    await Promise.resolve()
    expect(store.regions.pairs).toHaveLength(1)
  })

  it("keep the very masks that did not change", async () => {
    const { model, store } = setUp()
    draw(store)
    const mask = store.regions.pairs[0]?.handle
    const pairs = model.get("_pairs") as object[]
    model.update({ _pairs: pairs.map((p) => ({ ...p, name: "renamed" })), _regions_rev: 9 })
    await Promise.resolve()
    expect(store.regions.pairs[0]?.name).toBe("renamed")
    expect(store.regions.pairs[0]?.handle).toBe(mask)
  })

  it("drawn on another page come without their masks, which are asked for and taken", async () => {
    const { model, store } = setUp()
    draw(store)
    const pair = { ...(model.get("_pairs") as object[])[0], rev: 7, hasTarget: true }
    model.update({ _pairs: [pair], _regions_rev: 5 })
    await Promise.resolve()
    const needs = () => model.sent.filter((m) => m.content.type === "need").map((m) => m.content.what)
    expect(needs()).toEqual(["masks"])
    const id = store.regions.pairs[0]?.id
    const masks = {
      [`h:${id}`]: encodeMask(blob).slice(),
      [`t:${id}`]: encodeMask(disc(W, H, 30, 20, 3)).slice(),
    }
    model.update({ _pairs: [pair], _masks: masks, _regions_rev: 5 })
    await Promise.resolve()
    expect(textOf(store.regions.pairs[0]?.target ?? blob)).toEqual(textOf(disc(W, H, 30, 20, 3)))
    const before = store.regions
    model.update({ _masks: { ...masks } })
    await Promise.resolve()
    expect([store.regions, needs().length]).toEqual([before, 1])
  })

  it("of another picture's size are refused in words, and the rest is kept", async () => {
    const { model, store, complain } = setUp()
    const masks = { "h:p": encodeMask(disc(99, 9, 5, 5, 3)).slice(), protect: encodeMask(blob).slice() }
    model.update({ _pairs: [wire], _masks: masks, _regions_rev: 1 })
    await Promise.resolve()
    expect(complain).toHaveBeenCalledWith(expect.stringContaining("the mask is 99 x 9, the picture 40 x 30"))
    expect(isEmpty(store.regions.protect)).toBe(false)
    expect(store.regions.pairs).toHaveLength(1)
  })

  it.each([[null], ["text"], [{ name: "no id" }]])("that are malformed are left out: %j", async (pair) => {
    const { model, store } = setUp()
    model.update({ _pairs: [pair, wire], _regions_rev: 1 })
    await Promise.resolve()
    expect(store.regions.pairs.map((p) => p.id)).toEqual(["p"])
  })
})

describe("a run", () => {
  it("carries complete pairs and the protected area as buffers of their own", () => {
    const { store } = setUp()
    draw(store)
    store.commit(withMatrix(store.regions, 0, translation(10, 0)))
    store.commit(addPair(store.regions))
    store.commit(withMask(store.regions, -1, "protect", disc(W, H, 30, 20, 3)))
    const { pairs, protect, buffers } = requestOf(store.regions)
    expect(pairs).toMatchObject([{ matrix: [...translation(10, 0)], handle: 0, target: 1 }])
    expect(protect).toBe(2)
    expect(textOf(decodeMask(buffers[1] as Uint8Array, W, H))).toEqual(textOf(disc(W, H, 22, 12, 5)))
  })
})

describe("the active pair", () => {
  it("is told to the kernel without a new revision, and taken from it", () => {
    const { model, store } = setUp()
    store.commit(addPair(addPair(emptyRegions(W, H))))
    store.select(0)
    expect(model.patches.at(-1)).toEqual({ _selected: 0 })
    model.update({ _selected: 1 })
    expect(store.regions.selected).toBe(1)
  })
})
