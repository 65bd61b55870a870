import { describe, expect, it, vi } from "vitest"
import { open, png, standIns } from "../model/opened"

standIns()

describe("a picture file", () => {
  it("goes to the kernel in parts that a server lets through", async () => {
    const { widget, sent } = await open()
    const file = new File([new Uint8Array(20 * 1024 * 1024)], "big.png", { type: "image/png" })
    await widget.load(file)
    const loads = sent("load")
    expect(loads.map((m) => m.content.part)).toEqual([0, 1, 2])
    expect(loads.every((m) => (m.buffers[0]?.byteLength ?? 0) <= 8 * 1024 * 1024)).toBe(true)
    expect(new Set(loads.map((m) => m.content.upload)).size).toBe(1)
  })

  it("goes in parts where the page is not secure and has no randomUUID", async () => {
    const { widget, sent } = await open()
    const { getRandomValues } = crypto
    vi.stubGlobal("crypto", { getRandomValues: getRandomValues.bind(crypto) })
    await widget.load(new File([new Uint8Array(9 * 1024 * 1024)], "big.png"))
    expect(sent("load")).toHaveLength(2)
    expect(sent("load")[0]?.content.upload).toMatch(/^[0-9a-f]{12}$/)
  })

  it("that cannot be read is reported", async () => {
    const { widget } = await open()
    const file = new File([png], "gone.png")
    vi.spyOn(file, "arrayBuffer").mockRejectedValue(new DOMException("gone", "NotReadableError"))
    await widget.load(file)
    expect(widget.failure?.message).toBe("This file could not be read.")
  })
})
