/** The grip below the drawing area, which makes it higher or lower. */
import type { ViewState } from "../canvas/viewstate"
import { el, listen } from "../dom/elements"

/** Limits of the drawing area's height in CSS pixels, and how far one key press goes. */
const LEAST = 160
const MOST = 4_000
const STEP = 24

/** The grip of one view; it changes the height of `area`. */
export function heightGrip(area: HTMLElement, state: ViewState, signal: AbortSignal): HTMLElement {
  const grip = el("div", {
    class: "rd-grip",
    role: "separator",
    tabindex: 0,
    "aria-orientation": "horizontal",
    "aria-label": "Height of the drawing area",
    "aria-valuemin": LEAST,
    "aria-valuemax": MOST,
    title: "Drag to change the height; double click for automatic",
  })
  const set = (height: number) => state.set({ height: Math.round(Math.min(MOST, Math.max(LEAST, height))) })
  let from = { y: 0, height: 0 }
  listen(
    grip,
    "pointerdown",
    (e) => {
      if (e.button !== 0) return
      e.preventDefault()
      grip.focus({ preventScroll: true })
      grip.setPointerCapture(e.pointerId)
      from = { y: e.clientY, height: area.clientHeight }
    },
    signal,
  )
  listen(
    grip,
    "pointermove",
    (e) => {
      if (grip.hasPointerCapture(e.pointerId)) set(from.height + e.clientY - from.y)
    },
    signal,
  )
  listen(grip, "dblclick", () => state.set({ height: null }), signal)
  listen(
    grip,
    "keydown",
    (e) => {
      const by = { ArrowUp: -STEP, ArrowDown: STEP }[e.key]
      if (by === undefined && e.key !== "Home") return
      e.preventDefault()
      e.stopPropagation()
      if (by === undefined) state.set({ height: null })
      else set(area.clientHeight + by)
    },
    signal,
  )
  const sizes = new ResizeObserver(() =>
    grip.setAttribute("aria-valuenow", String(Math.round(area.clientHeight))),
  )
  sizes.observe(area)
  signal.addEventListener("abort", () => sizes.disconnect())
  return grip
}
