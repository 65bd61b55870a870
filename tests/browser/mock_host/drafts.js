// The draft half of the mock kernel: answers `draft` requests after a while, or when a test says so.

/** Where handle and target of all pairs lie, x0, y0, x1, y1: read from the masks' headers and the matrices. */
function touched(pairs, buffers, width, height) {
  const boxes = pairs.flatMap(({ handle, target, matrix }) => {
    const box = (index) => {
      const view = new DataView(buffers[index].buffer ?? buffers[index])
      const [x, y, w, h] = [12, 16, 20, 24].map((at) => view.getUint32(at, true))
      return [x, y, x + w, y + h]
    }
    const from = box(handle)
    if (target !== null) return [from, box(target)]
    const corners = [[from[0], from[1]], [from[2], from[1]], [from[2], from[3]], [from[0], from[3]]]
    const [a, b, c, d, e, f] = matrix
    const to = corners.map(([x, y]) => [a * x + b * y + c, d * x + e * y + f])
    const [xs, ys] = [to.map((p) => p[0]), to.map((p) => p[1])]
    return [from, [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)]]
  })
  const margin = 4
  return [
    Math.max(0, Math.floor(Math.min(...boxes.map((b) => b[0])) - margin)),
    Math.max(0, Math.floor(Math.min(...boxes.map((b) => b[1])) - margin)),
    Math.min(width, Math.ceil(Math.max(...boxes.map((b) => b[2])) + margin)),
    Math.min(height, Math.ceil(Math.max(...boxes.map((b) => b[3])) + margin)),
  ]
}

/** One flat colour: what is on the screen tells which draft it is. */
async function flat([x0, y0, x1, y1], color) {
  const canvas = new OffscreenCanvas(x1 - x0, y1 - y0)
  const g = canvas.getContext("2d")
  g.fillStyle = color
  g.fillRect(0, 0, canvas.width, canvas.height)
  return canvas
}

export class Drafting {
  /** `delay` in milliseconds, [least, most] for one at random, null for a test that calls `answer` itself. */
  constructor(model, delay = 20) {
    Object.assign(this, { model, delay, asked: [], ended: [], stats: [], color: () => "#ff00c8", draw: flat })
  }

  hear(content, buffers) {
    if (content.type === "drag_ended") this.ended.push(content.seq)
    if (content.type === "stats") {
      this.stats.push(content.on)
      if (content.on) this.measure()
    }
    if (content.type !== "draft") return
    this.asked.push({ ...content, buffers, at: performance.now() })
    if (this.delay === null) return
    const [least, most] = [this.delay].flat().length === 2 ? this.delay : [this.delay, this.delay]
    const index = this.asked.length - 1
    setTimeout(() => this.answer(index), least + Math.random() * (most - least))
  }

  /** Answers the request with that index in `asked`, now; `color` is that of the whole crop. */
  async answer(index, color = this.color(index)) {
    const { seq, pairs, buffers } = this.asked.at(index)
    const { width, height } = this.model.get("_image_info")
    const box = touched(pairs, buffers, width, height)
    const canvas = await this.draw(box, color, this.asked.at(index))
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 })
    const bytes = new Uint8Array(await blob.arrayBuffer())
    const fields = { seq, width: canvas.width, height: canvas.height, box, seconds: 0.02, mime: "image/jpeg" }
    this.model.receive({ v: 1, type: "drafted", ...fields }, [bytes])
  }

  refuse(index, reason, message = "") {
    this.model.receive({ v: 1, type: "undrafted", seq: this.asked.at(index).seq, reason, message })
  }

  measure(fields = {}) {
    this.measured = { draft_ms: 42, live: true, device: "cpu", dtype: "float32", memory: 120 * 2 ** 20,
      budget: 900 * 2 ** 20, note: "", ...this.measured, ...fields }
    this.model.receive({ v: 1, type: "measured", ...this.measured })
  }
}
