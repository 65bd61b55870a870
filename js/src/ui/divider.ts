/** The divider of the comparison by slider, for the pointer and for the arrow keys. */

import type { Stage } from "../canvas/stage"
import type { ViewState } from "../canvas/viewstate"
import { onChange } from "../document/signal"
import { el, listen } from "../dom/elements"
import { icon } from "../dom/icons"
import type { WidgetModel } from "../model/widgetmodel"

/** The divider of one view. */
export function divider(
  widget: WidgetModel,
  state: ViewState,
  stage: Stage,
  signal: AbortSignal,
): HTMLElement {
  const knob = el("div", {
    class: "rd-split",
    role: "slider",
    tabindex: 0,
    "aria-label": "Divider between original and result",
    "aria-valuemin": 0,
    "aria-valuemax": 100,
    hidden: true,
  })
  knob.append(icon("split"))
  listen(
    knob,
    "keydown",
    (e) => {
      const by = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[e.key]
      if (by === undefined) return
      e.preventDefault()
      e.stopPropagation()
      state.set({ split: Math.min(1, Math.max(0, state.split + by)) })
    },
    signal,
  )
  listen(
    knob,
    "pointerdown",
    (e) => {
      e.preventDefault()
      knob.focus()
      knob.setPointerCapture(e.pointerId)
    },
    signal,
  )
  listen(
    knob,
    "pointermove",
    (e) => {
      if (!knob.hasPointerCapture(e.pointerId)) return
      state.set({ split: Math.min(1, Math.max(0, stage.positionOf(e).x / Math.max(1, stage.area.width))) })
    },
    signal,
  )
  const update = () => {
    knob.hidden = !(widget.screen.showing === "result" && state.compare === "slider" && !state.original)
    knob.style.left = `${state.split * 100}%`
    knob.setAttribute("aria-valuenow", String(Math.round(state.split * 100)))
  }
  onChange([widget, state], update, signal)
  update()
  return knob
}
