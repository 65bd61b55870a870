/** One view of the widget in a displayed cell: puts its parts on the page and removes them again. */

import { Stage } from "../canvas/stage"
import { ViewState } from "../canvas/viewstate"
import { onChange } from "../document/signal"
import { el, listen } from "../dom/elements"
import { keepFocus } from "../dom/focus"
import type { WidgetModel } from "../model/widgetmodel"
import { Actions } from "./actions"
import { heightGrip } from "./heightgrip"
import { helpSheet } from "./help"
import { historyStrip } from "./historystrip"
import { Keyboard } from "./keyboard"
import { Opener } from "./opener"
import { overlays } from "./overlays"
import { pairsPanel } from "./pairs"
import { readoutOf } from "./readout"
import { resultBar } from "./resultbar"
import { runBar } from "./runbar"
import { settingsDrawer } from "./settingsdrawer"
import { toolRail, topBar } from "./toolbar"

let opened = 0

/** Fills `host` with a view. Returns a function that removes it. */
export function openView(widget: WidgetModel, host: HTMLElement): () => void {
  const controller = new AbortController()
  const { signal } = controller
  const id = `view${++opened}`
  const state = new ViewState()
  const bar = runBar(widget, state, signal)
  const stage = new Stage(widget, state, bar.notify, signal)
  const root = el("div", {
    class: "rd-root",
    // Tells Lumino, in JupyterLab and Notebook, to leave keys inside the widget alone.
    "data-lm-suppress-shortcuts": "true",
  })
  const actions = new Actions(widget, state, stage, bar.notify, () => leave(root))
  const opener = new Opener(widget, root, (picture) => actions.pasted(picture), signal)
  stage.element.append(...overlays(widget, state, signal), readoutOf(widget, state, id, signal))
  root.append(
    topBar(state, widget, stage, actions, () => opener.pick(), signal),
    el(
      "div",
      { class: "rd-body" },
      toolRail(state, widget, actions, signal),
      el("div", { class: "rd-middle" }, stage.element, heightGrip(stage.element, state, signal)),
      pairsPanel(widget, state, actions, signal),
      settingsDrawer(widget, state, signal),
    ),
    resultBar(widget, state, stage, actions, signal),
    bar.element,
    historyStrip(widget, signal),
    helpSheet(state, root, signal),
  )
  new Keyboard(root, stage, widget, state, actions, signal)
  host.append(root)
  watchSight(root, id, widget, signal)
  const stay = keepFocus(root, stage.canvas, signal)
  onChange([widget, state], stay, signal)
  const size = () => {
    root.setAttribute("aria-busy", String(widget.changing))
    fitHeight(widget, state, stage)
  }
  onChange([widget, state], size, signal)
  listen(window, "resize", size, signal)
  size()
  stage.invalidate()
  return () => {
    controller.abort()
    widget.watch.setVisible(id, null)
    root.remove()
  }
}

/** Tells the widget whether this view is on the screen. */
function watchSight(root: HTMLElement, id: string, widget: WidgetModel, signal: AbortSignal): void {
  let near = true
  const tell = () => widget.watch.setVisible(id, near && document.visibilityState !== "hidden")
  const observer = new IntersectionObserver((entries) => {
    near = entries.some((e) => e.isIntersecting)
    tell()
  })
  observer.observe(root)
  signal.addEventListener("abort", () => observer.disconnect())
  listen(document, "visibilitychange", tell, signal)
  tell()
}

/** Pixels of the window that everything around the drawing area takes, and what the row of tools needs. */
const AROUND = 320
const TALL = 430

/** Makes the drawing area as high as the picture needs at this width and the window allows, within limits. */
function fitHeight(widget: WidgetModel, state: ViewState, stage: Stage): void {
  const height = state.height ?? widget.host.get("_height") ?? 0
  // A frame may be as high as what is in it: its height says nothing about the window's.
  const room = window.parent === window ? window.innerHeight : screen.availHeight
  stage.element.style.setProperty("--rd-window", `${room}px`)
  stage.root.classList.toggle("rd-low", (height > 0 ? height : room - AROUND) < TALL)
  const { picture } = widget
  const shape = picture ? picture.width / picture.height : 1.5
  stage.element.style.setProperty("--rd-shape", String(Math.min(3, Math.max(0.6, shape))))
  if (height > 0) stage.element.style.setProperty("--rd-height", `${Math.max(160, height)}px`)
  else stage.element.style.removeProperty("--rd-height")
}

/** Returns the keyboard to the notebook. */
function leave(root: HTMLElement): void {
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur()
  const cell = root.parentElement?.closest<HTMLElement>(".jp-Cell, .cell, [tabindex]")
  cell?.focus({ preventScroll: true })
}
