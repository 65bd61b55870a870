/** What lies over the drawing area: a label that says what is shown, a hint for beginners, and failures. */

import type { ViewState } from "../canvas/viewstate"
import { carriedOf } from "../document/placement"
import { completePairs } from "../document/regions"
import { onChange } from "../document/signal"
import { button, el, setText } from "../dom/elements"
import { isEmpty } from "../geometry/mask"
import type { WidgetModel } from "../model/widgetmodel"

/** The elements over the drawing area of one view. */
export function overlays(widget: WidgetModel, state: ViewState, signal: AbortSignal): HTMLElement[] {
  const label = el("div", { class: "rd-label", hidden: true })
  const sides = el(
    "div",
    { class: "rd-sides", "aria-hidden": "true", hidden: true },
    el("span", {}, "Original"),
    el("span", {}, "Result"),
  )
  const hint = el("div", { class: "rd-hint", hidden: true })
  const badge = el("div", { class: "rd-connection", hidden: true })
  const trouble = el("div", { class: "rd-trouble", role: "alert", hidden: true })
  const message = el("strong")
  const remedy = el("span")
  trouble.append(
    el("div", {}, message, remedy),
    button({ label: "Dismiss", icon: "cross", kind: "quiet", signal, act: () => widget.dismiss() }),
  )
  const drop = el("div", { class: "rd-drop", "aria-hidden": "true" }, "Drop the picture here")

  const update = () => {
    const now = showing(widget, state)
    label.hidden = now === null
    label.dataset.kind = now?.kind ?? ""
    setText(label, now?.words ?? "")
    sides.hidden = !(widget.screen.showing === "result" && state.compare !== "off" && !state.original)
    const words = hintFor(widget, state)
    hint.hidden = words === ""
    setText(hint, words)
    const connection = {
      readonly: "No kernel: read only",
      gone: "Kernel gone: run the cell again",
    } as Record<string, string>
    badge.hidden = !(widget.liveness in connection)
    setText(badge, connection[widget.liveness] ?? "")
    trouble.hidden = widget.failure === null
    setText(message, widget.failure?.message ?? "")
    setText(remedy, widget.failure?.remedy ?? "")
  }
  onChange([widget, state], update, signal)
  update()
  return [label, sides, hint, badge, trouble, drop]
}

/** What is shown: the drag preview, a step or a draft from the kernel, or the result. */
function showing(widget: WidgetModel, state: ViewState): { kind: string; words: string } | null {
  if (!widget.picture) return null
  if (widget.screen.showing === "result") {
    if (state.original) return { kind: "original", words: "Original" }
    return state.compare === "off" ? { kind: "result", words: "Result" } : null
  }
  const frame = widget.runs.frames.current
  if (frame) {
    return { kind: "step", words: `Step ${frame.step} of ${frame.total}` }
  }
  if (widget.live.shownDraft?.whole) return { kind: "draft", words: "Draft" }
  const { store } = widget
  const carries = store.regions.pairs.some((pair) => pair.visible && carriedOf(pair, store) !== null)
  return state.dragPreview && carries && !state.bare ? { kind: "preview", words: "Preview" } : null
}

/** What a beginner should do next; empty for users who have done it. */
function hintFor(widget: WidgetModel, state: ViewState): string {
  const { store } = widget
  if (!widget.picture) {
    return widget.liveness === "readonly" ? "" : "Open a picture: the folder above, drop a file, or paste one"
  }
  if (
    !widget.canDraw ||
    widget.liveness === "gone" ||
    widget.runs.busy ||
    store.stroke ||
    store.ghost ||
    state.tool.active
  )
    return ""
  const { regions } = store
  if (widget.results.history.length > 0) return ""
  if (regions.pairs.every((p) => isEmpty(p.handle) && isEmpty(p.target)))
    return state.tool.taps ? "Click what should move" : "Paint over what should move"
  if (completePairs(regions).length === 0) {
    if (regions.pairs.every((p) => isEmpty(p.handle))) return "Choose Handle and paint what should move there"
    return state.layer === "handle" || state.tool.id === "move"
      ? "Drag the red region to its place"
      : "Paint where it should go"
  }
  return regions.pairs.length === 1 && widget.runs.progress.run === 0 ? "Press Run, or Ctrl+Enter" : ""
}
