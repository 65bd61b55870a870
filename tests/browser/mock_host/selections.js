// Answers the selection tools: by the real kernel's code where a test lends it, otherwise by simple shapes.

/** An RDM1 mask of a test on pixels. */
async function packed(width, height, isSet) {
  const row = (width + 7) >> 3
  const bits = new Uint8Array(row * height)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) if (isSet(x, y)) bits[y * row + (x >> 3)] |= 128 >> (x & 7)
  const body = new Blob([bits]).stream().pipeThrough(new CompressionStream("deflate"))
  const head = new Uint8Array(28)
  head.set([0x52, 0x44, 0x4d, 0x31])
  const fields = [width, height, 0, 0, width, height]
  fields.forEach((v, i) => new DataView(head.buffer).setUint32(4 + 4 * i, v, true))
  return new Uint8Array(await new Blob([head, await new Response(body).arrayBuffer()]).arrayBuffer())
}

export class Selections {
  constructor(model) {
    Object.assign(this, { model, held: false, waiting: [] })
  }
  async hear({ type, ...asked }, buffers) {
    if (type !== "select") return
    if (this.held) return this.waiting.push([asked, buffers])
    const { path = [], mask = null, found = true, message = "" } = await this.found(asked, buffers)
    const content = { v: 1, type: "selected", seq: asked.seq, how: asked.how, found, message, path }
    this.model.receive(content, mask ? [mask] : [])
  }
  release() {
    this.held = false
    for (const [asked, buffers] of this.waiting.splice(0)) void this.hear({ type: "select", ...asked }, buffers)
  }
  async found(asked, buffers) {
    if (window.lentKernel) {
      const plain = buffers.map((b) => [...new Uint8Array(b.buffer ?? b)])
      const { path, mask, found, message } = await window.lentKernel(asked, plain)
      return { path, found, message, mask: mask && Uint8Array.from(mask) }
    }
    const { how, points, labels } = asked
    const { width, height } = this.model.get("_image_info")
    const near = (p, r) => (x, y) => Math.hypot(x - p[0], y - p[1]) <= r
    if (how === "prepare") return {}
    if (how === "path") return { path: points[1] }
    const chosen = points.filter((_, i) => labels?.[i] ?? true)
    const cut = points.filter((_, i) => labels && !labels[i])
    const radius = how === "piece" ? 8 : 20
    const isSet = (x, y) => chosen.some((p) => near(p, radius)(x, y)) && !cut.some((p) => near(p, 8)(x, y))
    return { mask: await packed(width, height, isSet) }
  }
}
