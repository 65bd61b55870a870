/** The strip of earlier results. */
import { button, el, setEnabled } from "../dom/elements"
import { bytesOf } from "../kernel/fields"
import type { WidgetModel } from "../model/widgetmodel"

/** Earlier results, the newest last; a click brings one back with its regions and settings. */
export function historyStrip(widget: WidgetModel, signal: AbortSignal): HTMLElement {
  const strip = el("div", { class: "rd-strip", role: "group", "aria-label": "Earlier results", hidden: true })
  const addresses = new Map<string, { url: string; bytes: unknown }>()
  let before = ""
  let held = new AbortController()
  const update = () => {
    const entries = widget.results.history
    const thumbs = widget.results.thumbnails
    strip.hidden = entries.length === 0
    const key = JSON.stringify([
      entries.map((e) => e.id),
      widget.results.info?.id,
      widget.readOnly,
      Object.keys(thumbs),
    ])
    if (key === before) return
    before = key
    held.abort()
    held = new AbortController()
    for (const [id, { url, bytes }] of addresses) {
      if (thumbs[id] === bytes && entries.some((e) => e.id === id)) continue
      URL.revokeObjectURL(url)
      addresses.delete(id)
    }
    const nodes = entries.map((entry, i) => {
      const bytes = bytesOf(thumbs[entry.id])
      if (bytes && bytes.length > 0 && !addresses.has(entry.id)) {
        const url = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }))
        addresses.set(entry.id, { url, bytes: thumbs[entry.id] })
      }
      const label = `Result ${i + 1}, seed ${entry.seed}`
      const node = button({
        label,
        title: `${label}${entry.seconds ? `, ${entry.seconds.toFixed(1)} s` : ""}: bring it back with its regions and settings`,
        signal: held.signal,
        act: () => widget.restore(entry.id),
      })
      node.classList.add("rd-thumb")
      const url = addresses.get(entry.id)?.url
      if (url) node.append(el("img", { src: url, alt: "" }))
      node.append(el("span", {}, String(i + 1)))
      if (widget.results.info?.id === entry.id) node.setAttribute("aria-current", "true")
      setEnabled(node, !widget.readOnly)
      return node
    })
    strip.replaceChildren(...nodes)
    strip.scrollLeft = strip.scrollWidth
  }
  widget.changed.on(update, signal)
  signal.addEventListener("abort", () => {
    held.abort()
    for (const { url } of addresses.values()) URL.revokeObjectURL(url)
  })
  update()
  return strip
}
