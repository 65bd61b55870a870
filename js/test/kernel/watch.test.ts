import { describe, expect, it, vi } from "vitest"
import { drawPair, open, standIns } from "../model/opened"

standIns()

describe("the kernel's silence", () => {
  it("at the start makes the widget read only, until one answers", async () => {
    const { widget, model } = await open()
    await vi.advanceTimersByTimeAsync(5_500)
    expect(widget.readOnly).toBe(true)
    expect(widget.status).toBe("No kernel: read only")
    model.receive("ready", { kernel: "6", busy: false, run: 0 })
    expect(widget.readOnly).toBe(false)
  })

  it("later on is noticed by pings, shown, and over with the next answer", async () => {
    const { widget, model, sent } = await open()
    model.receive("ready", { kernel: "6", busy: false, run: 0 })
    widget.watch.setVisible("view", true)
    drawPair(widget)
    await vi.advanceTimersByTimeAsync(20_000)
    expect(sent("ping").length).toBeGreaterThan(0)
    expect(widget.status).toContain("Kernel busy")
    await vi.advanceTimersByTimeAsync(30_000)
    expect(widget.status).toBe("Kernel gone: run the cell again")
    expect(widget.store.regions.pairs).toHaveLength(1)
    model.receive("pong")
    expect(widget.liveness).toBe("live")
  })

  it("is ignored while no view is on the screen", async () => {
    const { widget, model, sent } = await open()
    model.receive("ready", { kernel: "6", busy: false, run: 0 })
    await vi.advanceTimersByTimeAsync(120_000)
    expect(sent("ping")).toHaveLength(0)
    expect(widget.liveness).toBe("live")
  })
})

describe("a kernel that was started again", () => {
  it("is gone until it is heard, whatever it does meanwhile", async () => {
    const { widget, model } = await open()
    model.receive("ready", { kernel: "6", busy: false, run: 0 })
    const kernel = { status: "restarting" }
    Object.assign(model, { widget_manager: { kernel } })
    await vi.advanceTimersByTimeAsync(1_500)
    expect(widget.status).toBe("Kernel gone: run the cell again")
    for (kernel.status of ["starting", "busy", "idle"]) {
      await vi.advanceTimersByTimeAsync(2_000)
      expect(widget.status).toBe("Kernel gone: run the cell again")
    }
    model.receive("pong")
    expect(widget.liveness).toBe("live")
  })
})

describe("the kernel is told whether a view is on the screen", () => {
  it("once for all views together", async () => {
    const { widget, sent } = await open()
    widget.watch.setVisible("a", true)
    widget.watch.setVisible("b", true)
    widget.watch.setVisible("a", null)
    widget.watch.setVisible("b", false)
    expect(sent("visible").map((m) => m.content.visible)).toEqual([true, false])
  })
})
