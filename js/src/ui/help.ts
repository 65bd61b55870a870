/** The sheet behind `?`: every key and gesture. */

import type { ViewState } from "../canvas/viewstate"
import { button, el, listen, setModal } from "../dom/elements"
import { HELP_ROWS } from "./shortcuts"

/** The sheet of one view, hidden until `state.helpOpen` is set. */
export function helpSheet(state: ViewState, root: HTMLElement, signal: AbortSignal): HTMLElement {
  const close = button({
    label: "Close",
    icon: "cross",
    title: "Close (Esc)",
    signal,
    act: () => state.set({ helpOpen: false }),
  })
  const sections = HELP_ROWS.map(({ title, rows }) =>
    el(
      "section",
      {},
      el("h4", {}, title),
      el(
        "dl",
        {},
        ...rows.flatMap(({ keys, does }) => [
          el("dt", {}, ...keys.split("  ").map((key) => el("kbd", {}, key))),
          el("dd", {}, does),
        ]),
      ),
    ),
  )
  const sheet = el(
    "div",
    {
      class: "rd-dialog rd-help",
      role: "dialog",
      "aria-modal": "true",
      "aria-label": "Keys and gestures",
      tabindex: -1,
    },
    el("header", {}, el("h3", {}, "Keys and gestures"), close),
    el("div", { class: "rd-columns" }, ...sections),
  )
  const veil = el("div", { class: "rd-veil", hidden: true }, sheet)
  listen(
    veil,
    "pointerdown",
    (e) => {
      if (e.target === veil) state.set({ helpOpen: false })
    },
    signal,
  )
  let back: HTMLElement | null = null
  state.changed.on(() => {
    if (veil.hidden === !state.helpOpen) return
    veil.hidden = !state.helpOpen
    setModal(veil, state.helpOpen)
    if (state.helpOpen) {
      back = root.contains(document.activeElement) ? (document.activeElement as HTMLElement) : null
      close.focus()
    } else back?.focus({ preventScroll: true })
  }, signal)
  return veil
}
