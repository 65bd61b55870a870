/** How quick drafts are, in a corner of the drawing area: over it, so that nothing moves for it. */

import type { ViewState } from "../canvas/viewstate"
import { el, setText } from "../dom/elements"
import { readout } from "../model/meter"
import type { Session } from "../model/widgetmodel"

/** Milliseconds between two looks at the numbers: quicker ones could not be read. */
const EVERY = 500

export function readoutOf(
  session: Session,
  state: ViewState,
  view: string,
  signal: AbortSignal,
): HTMLElement {
  const node = el("div", { class: "rd-readout", role: "group", "aria-label": "Measurements", hidden: true })
  const { live } = session
  let timer: ReturnType<typeof setInterval> | undefined
  const write = () => setText(node, readout(live.measured, live.meter, performance.now()).join("\n"))
  const open = (on: boolean) => {
    if (on === (timer !== undefined)) return
    clearInterval(timer)
    timer = on ? setInterval(write, EVERY) : undefined
    live.read(view, on)
    node.hidden = !on
    if (on) write()
  }
  state.changed.on(() => open(state.readout), signal)
  signal.addEventListener("abort", () => open(false))
  return node
}
