/** The buttons that make a selection larger, smaller, smoother or whole, or turn it round. */

import type { ViewState } from "../canvas/viewstate"
import { maskOf } from "../document/regions"
import { onChange } from "../document/signal"
import { button, el, setEnabled } from "../dom/elements"
import { isEmpty } from "../geometry/mask"
import type { WidgetModel } from "../model/widgetmodel"
import type { Actions } from "./actions"

const BUTTONS = [
  { how: "grow", text: "Grow", title: "Make the selection larger" },
  { how: "shrink", text: "Shrink", title: "Make the selection smaller" },
  { how: "smooth", text: "Smooth", title: "Smooth the selection's outline" },
  { how: "fill_holes", label: "Fill holes", text: "Fill", title: "Fill the selection's holes" },
  { how: "invert", text: "Invert", title: "Select everything else" },
] as const

/** The buttons of one view; they change what is painted on the active layer. */
export function adjustRow(
  widget: WidgetModel,
  state: ViewState,
  actions: Actions,
  signal: AbortSignal,
): HTMLElement {
  const nodes = BUTTONS.map(({ how, ...look }) => button({ ...look, signal, act: () => actions.adjust(how) }))
  const update = () => {
    const { regions } = widget.store
    const locked = state.layer !== "protect" && regions.pairs[regions.selected]?.locked === true
    const mask = maskOf(regions, regions.selected, state.layer)
    const usable = widget.liveness === "live" && !locked && !isEmpty(mask)
    for (const node of nodes) setEnabled(node, usable)
  }
  onChange([widget, state], update, signal)
  update()
  const group = {
    class: "rd-row rd-pair-tools rd-adjust",
    role: "group",
    "aria-label": "Adjust the selection",
  }
  return el("div", group, ...nodes)
}
