/** How fast drafts are, over a corner of the drawing area, so that showing it moves nothing. */

import type { ViewState } from "../canvas/viewstate"
import { el, setText } from "../dom/elements"
import { measurements } from "../model/meter"
import type { WidgetModel } from "../model/widgetmodel"

/** Milliseconds between two updates: faster ones could not be read. */
const EVERY = 500

/** The measurements of one view, shown while `state.readout` is set. */
export function readoutOf(
  widget: WidgetModel,
  state: ViewState,
  view: string,
  signal: AbortSignal,
): HTMLElement {
  const node = el("div", { class: "rd-readout", role: "group", "aria-label": "Measurements", hidden: true })
  const { live } = widget
  let timer: ReturnType<typeof setInterval> | undefined
  const write = () => setText(node, measurements(live.measured, live.meter, performance.now()).join("\n"))
  const open = (on: boolean) => {
    if (on === (timer !== undefined)) return
    clearInterval(timer)
    timer = on ? setInterval(write, EVERY) : undefined
    live.setReading(view, on)
    node.hidden = !on
    if (on) write()
  }
  state.changed.on(() => open(state.readout), signal)
  signal.addEventListener("abort", () => open(false))
  return node
}
