// A notebook host in forty lines: a model with traits and messages, views on demand, and a kernel that plays along.
//
// `window.host` is what the tests drive: `host.open(options)`, `host.show(width)`, `host.hide()`, `host.sent`, ...

import { Drafting } from "/drafts.js"
import { Selections } from "/selections.js"

const KINDS = {
  dataview: (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  uint8: (bytes) => bytes,
  // A view into a larger buffer, at an odd place, as some hosts hand out.
  offset: (bytes) => {
    const wide = new Uint8Array(bytes.length + 13)
    wide.set(bytes, 7)
    return new Uint8Array(wide.buffer, 7, bytes.length)
  },
  arraybuffer: (bytes) => bytes.slice().buffer,
  numbers: (bytes) => [...bytes],
}

class Model {
  constructor(state, kind) {
    this.state = state
    this.wrap = KINDS[kind]
    this.listeners = new Map()
    this.pending = {}
    this.patches = []
    this.sent = []
    this.kernel = null
  }
  get(key) {
    return this.state[key]
  }
  set(key, value) {
    this.state = { ...this.state, [key]: value }
    this.pending[key] = value
    this.emit(`change:${key}`)
  }
  save_changes() {
    if (Object.keys(this.pending).length === 0) return
    // What reaches the kernel is a copy: later changes in the page must not alter it.
    this.patches.push(structuredClone(this.pending))
    this.kernel?.patch?.(this.pending)
    this.pending = {}
  }
  send(content, _callbacks, buffers = []) {
    const message = { content: structuredClone(content), buffers: buffers.map((b) => structuredClone(b)) }
    this.sent.push(message)
    this.kernel?.message(message.content, message.buffers)
  }
  on(event, listener) {
    const list = this.listeners.get(event) ?? []
    this.listeners.set(event, [...list, listener])
  }
  off(event, listener) {
    const list = this.listeners.get(event) ?? []
    this.listeners.set(event, list.filter((l) => listener && l !== listener))
  }
  emit(event, ...args) {
    for (const listener of this.listeners.get(event) ?? []) listener(...args)
  }
  get listenerCount() {
    return [...this.listeners.values()].reduce((sum, list) => sum + list.length, 0)
  }
  /** The kernel sets traits: one patch, then its events. */
  update(traits) {
    this.state = { ...this.state, ...traits }
    for (const key of Object.keys(traits)) this.emit(`change:${key}`)
  }
  /** The kernel sends a message. */
  receive(content, buffers = []) {
    this.emit("msg:custom", content, buffers.map((b) => this.wrap(b)))
  }
}

/** Answers as the real kernel does: `steps` previews a run; at step `hold` it waits until a test calls `go()`. */
class Kernel {
  constructor(model, { steps = 4, hold = 0, drafts = 20 } = {}) {
    Object.assign(this, { model, steps, hold, run: 0, acks: [], stopped: new Set(), results: [], go: () => {} })
    this.drafts = new Drafting(model, drafts)
    this.selections = new Selections(model)
  }
  message(content, buffers) {
    const { model } = this
    this.drafts.hear(content, buffers)
    void this.selections.hear(content, buffers)
    const answer = (type, fields = {}) => setTimeout(() => model.receive({ v: 1, type, ...fields }))
    if (content.type === "hello") answer("ready", { kernel: "mock", busy: false, run: this.run })
    if (content.type === "ping") answer("pong")
    if (content.type === "ack") this.acks.push([content.run, content.seq])
    if (content.type === "stop") this.stopped.add(content.run)
    if (content.type === "run") void this.edit(content, buffers)
    if (content.type === "accept") this.accept(content.result)
    if (content.type === "discard") model.update({ _result: new DataView(new ArrayBuffer(0)), _result_info: {} })
    if (content.type === "restore") this.restore(content.result)
    if (content.type === "load") void this.load(content, buffers)
  }
  async edit({ run, params, pairs }, _buffers) {
    const { model } = this
    this.run = run
    for (let step = 1; step <= this.steps; step++) {
      if (this.stopped.has(run)) return model.receive({ v: 1, type: "stopped", run, step: step - 1 })
      if (this.run !== run) return
      const [w, h] = [model.get("_image_info").width, model.get("_image_info").height]
      const eta = (this.steps - step) * 0.5
      model.receive({ v: 1, type: "status", state: "running", step, total: this.steps, eta, message: "", run })
      const jpeg = await painted(96, Math.round((96 * h) / w), `hsl(${(step * 60) % 360} 60% 50%)`, "image/jpeg")
      const frame = { run, seq: step, step, total: this.steps, width: 96, height: 64, mime: "image/jpeg" }
      model.receive({ v: 1, type: "preview", ...frame, box: [0, 0, w, h] }, [jpeg])
      if (step === this.hold) await new Promise((go) => Object.assign(this, { go }))
      else await new Promise((done) => setTimeout(done, 5))
    }
    const { width, height } = model.get("_image_info")
    const png = await painted(width, height, "#2a9d8f", "image/png")
    const thumb = await painted(64, 48, "#2a9d8f", "image/jpeg")
    const id = `r${run}`
    const info = { id, run, seed: params.seed, seconds: 1.25, width, height, settings: params }
    const before = Object.fromEntries(["_image", "_image_info", "_pairs", "_masks"].map((k) => [k, model.get(k)]))
    this.results.push({ info, png, pairs, before })
    model.update({
      _result: KINDS.dataview(png),
      _result_info: info,
      _history: [...model.get("_history"), { id, seed: params.seed, seconds: 1.25, settings: params, label: "" }],
      _thumbs: { ...model.get("_thumbs"), [id]: KINDS.dataview(thumb) },
    })
    model.receive({ v: 1, type: "done", run, result: id, seconds: 1.25 })
  }
  accept(id) {
    const { model } = this
    const found = this.results.find((r) => r.info.id === id)
    if (!found) return
    const info = model.get("_image_info")
    model.update({
      _image: KINDS.dataview(found.png),
      _image_info: { ...info, rev: info.rev + 1, mime: "image/png" },
      _result: new DataView(new ArrayBuffer(0)),
      _result_info: {},
      _pairs: [],
      _masks: {},
      _selected: -1,
      _regions_rev: model.get("_regions_rev") + 1,
    })
  }
  restore(id) {
    const found = this.results.find((r) => r.info.id === id)
    if (!found) return
    const { _image_info: info } = this.model.state
    const picture = found.before._image_info.rev !== info.rev
    const before = { ...found.before, _image_info: { ...found.before._image_info, rev: info.rev + 1 } }
    const regions = { _selected: before._pairs.length - 1, _regions_rev: this.model.get("_regions_rev") + 1 }
    this.model.update({
      ...(picture ? { ...before, ...regions } : {}),
      _result: KINDS.dataview(found.png),
      _result_info: found.info,
    })
  }
  async load({ mime, name }, [part]) {
    const bytes = new Uint8Array(part.buffer ?? part)
    const image = await createImageBitmap(new Blob([bytes], { type: mime }))
    const rev = this.model.get("_image_info").rev + 1
    this.model.update({
      _image: KINDS.dataview(bytes),
      _image_info: { width: image.width, height: image.height, mime, rev, name, alpha: false },
      _pairs: [],
      _masks: {},
      _selected: -1,
      _regions_rev: this.model.get("_regions_rev") + 1,
    })
  }
}

/** Pictures by what they were painted from: runs show the same ones again and again. */
const paintings = new Map()

/** A picture with structure: a gradient, stripes and a disc, so that warps and zooms can be seen. */
async function painted(...how) {
  const key = how.join()
  if (!paintings.has(key)) paintings.set(key, await paint(...how))
  return paintings.get(key).slice()
}

async function paint(width, height, color, type) {
  const canvas = new OffscreenCanvas(width, height)
  const g = canvas.getContext("2d")
  const sky = g.createLinearGradient(0, 0, width, height)
  sky.addColorStop(0, "#f1e3c6")
  sky.addColorStop(1, "#6f9bb8")
  g.fillStyle = sky
  g.fillRect(0, 0, width, height)
  g.fillStyle = "rgb(60 80 60 / 0.5)"
  g.fillRect(0, height * 0.72, width, height * 0.28)
  for (let x = 0; x < width; x += width / 16) g.fillRect(x, height * 0.68, width / 64, height * 0.1)
  g.fillStyle = color
  g.beginPath()
  g.ellipse(width * 0.3, height * 0.55, width * 0.1, height * 0.14, 0, 0, 2 * Math.PI)
  g.fill()
  g.fillStyle = "#fff"
  g.beginPath()
  g.ellipse(width * 0.33, height * 0.5, width * 0.02, height * 0.03, 0, 0, 2 * Math.PI)
  g.fill()
  const blob = await canvas.convertToBlob({ type, quality: 0.8 })
  return new Uint8Array(await blob.arrayBuffer())
}

const defaults = {
  prompt: "",
  seed: 0,
  steps: 15,
  start: 0.2,
  stop: 0,
  vacated: "fill",
  model: "mini",
  matte: "auto",
  live: null,
}

const host = {
  model: null,
  kernel: null,
  views: [],
  errors: [],
  painted,
  KINDS,

  /** Makes the model and initialises the widget; nothing is shown before `show`. */
  async open({ width = 320, height = 240, buffers = "dataview", kernel = true, picture = true, photo = null, state = {}, ...run } = {}) {
    // `photo` is a JPEG in base64 of the given size, where a test wants a real picture to look at.
    const bytes = photo ? Uint8Array.from(atob(photo), (c) => c.charCodeAt(0)) : null
    const png = bytes ?? (picture ? await painted(width, height, "#d9480f", "image/png") : new Uint8Array(0))
    const mime = bytes ? "image/jpeg" : "image/png"
    const info = picture ? { width, height, mime, rev: 1, name: "mock.png", alpha: false } : {}
    this.picture = png
    this.model = new Model(
      {
        _protocol: 1,
        _image: KINDS[buffers](png),
        _image_info: info,
        _pairs: [],
        _masks: {},
        _regions_rev: 0,
        settings: { ...defaults, steps: null, start: null, stop: null }, // nobody has set them: the model's own
        _models: ["mini", "stable-diffusion"],
        _defaults: { ...defaults },
        _state: { state: picture ? "ready" : "empty", message: "", step: 0, total: 0, eta: null, run: 0 },
        _result: KINDS.dataview(new Uint8Array(0)),
        _result_info: {},
        _history: [],
        _thumbs: {},
        _height: null,
        _selected: -1,
        ...state,
      },
      buffers,
    )
    this.kernel = new Kernel(this.model, run)
    if (kernel) this.model.kernel = this.kernel
    // A fresh module a model, as anywidget loads it.
    const code = await (await fetch("/widget.js")).text()
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }))
    const module = await import(url)
    URL.revokeObjectURL(url)
    this.widget = await module.default()
    const cleanup = await this.widget.initialize({ model: this.model })
    this.close = () => cleanup?.()
  },

  /** Shows one more view, in a cell of the given width. */
  async show(width = 900) {
    const el = document.createElement("div")
    el.className = "cell"
    el.style.width = `${width}px`
    document.getElementById("cells").append(el)
    const cleanup = await this.widget.render({ model: this.model, el })
    this.views.push({ el, cleanup })
  },

  /** Takes the newest view away. */
  hide() {
    const view = this.views.pop()
    view.cleanup()
    view.el.remove()
  },

  sent(type) {
    return this.model.sent.map((m) => m.content).filter((m) => m.type === type)
  },

  /** The masks of the newest patch as arrays of numbers, so that they can leave the page. */
  masks() {
    const masks = this.model.get("_masks")
    const plain = (v) => [...new Uint8Array(v.buffer ?? v, v.byteOffset ?? 0, v.byteLength)]
    return Object.fromEntries(Object.entries(masks).map(([key, value]) => [key, plain(value)]))
  },

  theme(name) {
    document.body.dataset.theme = name
  },
}
window.host = host
