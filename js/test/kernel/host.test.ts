import { afterEach, describe, expect, it, vi } from "vitest"
import { bytesOf } from "../../src/kernel/fields"
import { Host, owned } from "../../src/kernel/host"
import { FakeModel } from "../fakemodel"

afterEach(() => vi.restoreAllMocks())

describe("bytes from a host", () => {
  const inner = Uint8Array.from([9, 1, 2, 3, 9])
  it.each([
    ["a DataView", new DataView(inner.buffer, 1, 3)],
    ["a Uint8Array into a larger buffer", inner.subarray(1, 4)],
    ["an ArrayBuffer", Uint8Array.from([1, 2, 3]).buffer],
    ["an array of numbers", [1, 2, 3]],
  ])("may come as %s", (_name, value) => {
    expect([...(bytesOf(value) ?? [])]).toEqual([1, 2, 3])
  })

  it.each([null, undefined, "text", 7, {}, ["a"]])("are none in %j", (value) => {
    expect(bytesOf(value)).toBeNull()
  })

  it("are copied to a buffer of their own where they share one", () => {
    const part = owned(inner.subarray(1, 4))
    expect(part.buffer.byteLength).toBe(3)
    expect(owned(part)).toBe(part)
  })
})

describe("messages", () => {
  it("of our version arrive with their buffers, whatever their kind", () => {
    const model = new FakeModel()
    const heard: unknown[] = []
    new Host(model).onMessage((message, buffers) => heard.push([message.type, buffers.map((b) => [...b])]))
    model.receive("pong", {}, [new DataView(Uint8Array.from([4, 5]).buffer), [6]])
    expect(heard).toEqual([["pong", [[4, 5], [6]]]])
  })

  it.each([null, "text", 3, [], { type: "status" }, { v: 2, type: "status" }, { v: 1 }, { v: 1, type: 9 }])(
    "that are not ours are ignored with a warning: %j",
    (content) => {
      const warn = vi.spyOn(console, "warn").mockImplementation(() => {})
      const model = new FakeModel()
      const heard = vi.fn()
      new Host(model).onMessage(heard)
      model.emit("msg:custom", content, [])
      expect(heard).not.toHaveBeenCalled()
      expect(warn).toHaveBeenCalledOnce()
    },
  )

  it("of our version are a sign of life, even if they cannot be read", () => {
    vi.spyOn(console, "warn").mockImplementation(() => {})
    const model = new FakeModel()
    const host = new Host(model)
    const heard = vi.fn()
    const received = vi.fn()
    host.heard.on(heard)
    host.onMessage(received)
    model.receive("news from a later version")
    model.receive("stopped", { run: "x" })
    expect([heard.mock.calls.length, received.mock.calls.length]).toEqual([2, 0])
  })

  it("carry the version and no field called id", () => {
    const model = new FakeModel()
    new Host(model).send("ack", { run: 1, seq: 2 })
    expect(model.sent[0]?.content).toEqual({ v: 1, type: "ack", run: 1, seq: 2 })
  })

  it("above ten mebibytes are reported and not sent, since they would close the socket", () => {
    vi.spyOn(console, "warn").mockImplementation(() => {})
    const model = new FakeModel()
    const host = new Host(model)
    const refused = vi.fn()
    host.refused.on(refused)
    const run = { run: 1, params: {}, rev: 0, pairs: [], protect: null }
    const half = new Uint8Array(5 * 1024 * 1024)
    expect(host.send("run", run, [half])).toBe(true)
    expect(host.send("run", run, [half, half.slice()])).toBe(false)
    host.save({ _masks: { "h:a": half, "t:a": half.slice() } })
    expect([model.sent.length, model.patches.length, refused.mock.calls.length]).toEqual([1, 0, 2])
  })
})

describe("a host that is closed", () => {
  it("listens to nothing any more", () => {
    const model = new FakeModel()
    const host = new Host(model)
    host.on("change:a", () => {})
    host.onMessage(() => {})
    expect(model.listening).toBe(2)
    host.close()
    expect(model.listening).toBe(0)
  })
})
