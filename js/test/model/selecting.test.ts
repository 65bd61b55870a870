import { describe, expect, it, vi } from "vitest"
import { enlarged } from "../../src/geometry/enlarge"
import { area } from "../../src/geometry/mask"
import { encodeMask } from "../../src/kernel/codec"
import { disc } from "../masks"
import { H, info, open, png, standIns, W } from "./opened"

standIns()

const at = { points: [{ x: 3.12345, y: 2 }] }

describe("asking what would be selected", () => {
  it("sends the picture's number with it, and resolves to the mask", async () => {
    const { model, widget, sent } = await open()
    const asked = widget.selecting.ask("click", { ...at, labels: [true] })
    expect(sent("select")[0]?.content).toMatchObject({ seq: 1, rev: 1, points: [[3.1, 2]], labels: [true] })
    const mask = disc(W, H, 8, 12, 4)
    model.receive("selected", { seq: 1, how: "click", found: true }, [encodeMask(mask)])
    expect(area((await asked)?.mask as typeof mask)).toBe(area(mask))
  })

  it("enlarges a mask that is smaller than the picture, and refuses a larger one", async () => {
    const { model, widget } = await open()
    const asked = widget.selecting.ask("click", at)
    const half = disc(W / 2, H / 2, 4, 6, 2)
    model.receive("selected", { seq: 1, found: true }, [encodeMask(half)])
    expect(await asked).toMatchObject({ mask: enlarged(half, W, H) })
    const large = widget.selecting.ask("click", at)
    model.receive("selected", { seq: 2, found: true }, [encodeMask(disc(2 * W, H, 4, 6, 2))])
    expect(await large).toBeNull()
  })

  it("resolves to a path, and to an empty mask where nothing is selected", async () => {
    const { model, widget } = await open()
    const way = widget.selecting.ask("path", at)
    model.receive("selected", { seq: 1, how: "path", found: true, path: [1, 2, 3, 4, 5] })
    expect((await way)?.path).toEqual([
      { x: 1, y: 2 },
      { x: 3, y: 4 },
    ])
    const nothing = widget.selecting.ask("wand", at)
    model.receive("selected", { seq: 2, how: "wand", found: true })
    expect(area((await nothing)?.mask as never)).toBe(0)
  })

  it("gives up older requests of the same kind, but not those of others", async () => {
    const { model, widget } = await open()
    const older = widget.selecting.ask("piece", at)
    const other = widget.selecting.ask("click", at)
    const newer = widget.selecting.ask("piece", at)
    expect(await older).toBeNull()
    for (const seq of [1, 2, 3]) model.receive("selected", { seq, how: "piece", found: true })
    expect([(await other) !== null, (await newer) !== null]).toEqual([true, true])
  })

  it("says why there is no answer, if there is something to say", async () => {
    const { model, widget } = await open()
    const said = vi.fn()
    widget.notified.on(said)
    const asked = widget.selecting.ask("click", at)
    model.receive("selected", { seq: 1, found: false, message: "point (9, 9) lies outside the picture" })
    expect(await asked).toBeNull()
    expect(said).toHaveBeenCalledWith("point (9, 9) lies outside the picture")
  })

  it("resolves to nothing where the mask cannot be read, or another picture has come", async () => {
    const { model, widget } = await open()
    const broken = widget.selecting.ask("click", at)
    model.receive("selected", { seq: 1, found: true }, [png])
    expect(await broken).toBeNull()
    const old = widget.selecting.ask("click", at)
    model.update({ _image: Uint8Array.from([...png, 2]), _image_info: { ...info, rev: 2 } })
    await vi.advanceTimersByTimeAsync(0)
    expect(await old).toBeNull()
  })

  it("lets a hovering pointer ask again after a while without an answer", async () => {
    const { widget } = await open()
    void widget.selecting.ask("piece", at)
    expect(widget.selecting.isAsking("piece")).toBe(true)
    await vi.advanceTimersByTimeAsync(1_500)
    expect(widget.selecting.isAsking("piece")).toBe(false)
  })
})
