/** The bar with everything that can be done with a result. */

import type { Compare } from "../canvas/base"
import type { Stage } from "../canvas/stage"
import type { ViewState } from "../canvas/viewstate"
import { onChange } from "../document/signal"
import { button, download, el, listen, setEnabled, setPressed } from "../dom/elements"
import { randomSeed } from "../model/settings"
import type { WidgetModel } from "../model/widgetmodel"
import type { Actions } from "./actions"
import { divider } from "./divider"

/** The bar of one view; also puts the comparison's divider over the drawing area. */
export function resultBar(
  widget: WidgetModel,
  state: ViewState,
  stage: Stage,
  actions: Actions,
  signal: AbortSignal,
): HTMLElement {
  const toggle = (mode: Compare) => actions.compare(state.compare === mode ? "off" : mode)
  const regions = button({
    text: "Regions",
    title: "Back to the regions; the result stays in the strip",
    signal,
    act: () => widget.screen.showRegions(),
  })
  const result = button({
    text: "Result",
    title: "Show the result",
    signal,
    act: () => widget.screen.showResult(),
  })
  const compare = button({
    label: "Compare",
    icon: "compare",
    text: "Compare",
    title: "Compare with a slider (Shift+C)",
    signal,
    act: () => toggle("slider"),
  })
  const side = button({
    label: "Side by side",
    icon: "side",
    text: "Side",
    title: "Original and result side by side",
    signal,
    act: () => toggle("side"),
  })
  const hold = button({
    label: "Original",
    icon: "eye",
    text: "Original",
    title: "Hold to see the original (C)",
    signal,
    act: () => {},
  })
  const peek = (original: boolean) => () => {
    if (state.original !== original) state.set({ original })
  }
  listen(hold, "pointerdown", peek(true), signal)
  for (const event of ["pointerup", "pointercancel", "pointerleave", "blur"] as const)
    listen(hold, event, peek(false), signal)
  listen(
    hold,
    "keydown",
    (e) => {
      if (e.key === " " || e.key === "Enter") peek(true)()
    },
    signal,
  )
  listen(hold, "keyup", peek(false), signal)
  const again = button({
    label: "Another seed",
    icon: "dice",
    text: "Seed",
    title: "Run again with another seed",
    signal,
    act: () => widget.run({ seed: randomSeed() }),
  })
  const save = button({
    label: "Download PNG",
    icon: "save",
    text: "Download",
    signal,
    act: () =>
      widget.results.picture && download(widget.results.picture.bytes, "image/png", fileName(widget)),
  })
  const accept = button({
    label: "Accept",
    icon: "check",
    text: "Accept",
    kind: "primary",
    title: "The result becomes the picture; Ctrl+Z takes it back",
    signal,
    act: () => widget.accept(),
  })
  const discard = button({
    label: "Discard",
    icon: "cross",
    text: "Discard",
    title: "Drop the result, keep the regions",
    signal,
    act: () => widget.discard(),
  })
  const bar = el(
    "div",
    { class: "rd-result", role: "group", "aria-label": "Result", hidden: true },
    el("div", { class: "rd-group" }, regions, result),
    el("div", { class: "rd-group" }, compare, side, hold),
    el("div", { class: "rd-group" }, again, save),
    el("span", { class: "rd-gap" }),
    el("div", { class: "rd-group" }, discard, accept),
  )
  const update = () => {
    // Always there, so that nothing jumps when a result comes; disabled until there is one.
    bar.hidden = widget.picture === null
    const ready = widget.results.picture !== null && !widget.runs.busy
    const showing = ready && widget.screen.showing === "result"
    for (const node of [regions, result, compare, side, save]) setEnabled(node, ready)
    setPressed(regions, ready && !showing)
    setPressed(result, showing)
    setPressed(compare, showing && state.compare === "slider")
    setPressed(side, showing && state.compare === "side")
    setPressed(hold, state.original)
    setEnabled(hold, showing)
    const alive = !widget.readOnly && widget.liveness !== "gone"
    for (const node of [accept, discard]) setEnabled(node, ready && alive)
    setEnabled(again, ready && widget.obstacle === "")
  }
  onChange([widget, state], update, signal)
  update()
  stage.element.append(divider(widget, state, stage, signal))
  return bar
}

function fileName(widget: WidgetModel): string {
  const stem = (widget.original.name || "picture").replace(/^.*[\\/]/, "").replace(/\.[^.]*$/, "")
  return `${stem}-dragged-${widget.results.info?.seed ?? 0}.png`
}
