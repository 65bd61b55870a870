/** One displayed cell: puts the parts on the page and takes them all away again. */

import { Stage } from "../canvas/stage"
import { ViewState } from "../canvas/viewstate"
import { el } from "../dom/elements"
import { keepFocus } from "../dom/focus"
import type { Session } from "../model/widgetmodel"
import { Actions } from "./actions"
import { helpSheet } from "./help"
import { Keyboard } from "./keyboard"
import { Opener } from "./opener"
import { notices } from "./overlays"
import { pairsPanel } from "./pairs"
import { readoutOf } from "./readout"
import { historyStrip, resultBar } from "./resultbar"
import { runBar } from "./runbar"
import { settingsDrawer } from "./settingsdrawer"
import { toolRail, topBar } from "./toolbar"

let opened = 0

/** Fills `host` and returns what takes it all away. */
export function openView(session: Session, host: HTMLElement): () => void {
  const controller = new AbortController()
  const { signal } = controller
  const id = `view${++opened}`
  const state = new ViewState()
  const bar = runBar(session, state, signal)
  const stage = new Stage(session, state, bar.tell, signal)
  const root = el("div", {
    class: "rd-root",
    // Lumino's own switch: JupyterLab and Notebook then leave keys inside the widget alone.
    "data-lm-suppress-shortcuts": "true",
  })
  const actions = new Actions(session, state, stage, bar.tell, () => leave(root))
  const opener = new Opener(session, root, (picture) => actions.pasted(picture), signal)
  stage.element.append(...notices(session, state, signal), readoutOf(session, state, id, signal))
  root.append(
    topBar(state, session, stage, actions, () => opener.pick(), signal),
    el(
      "div",
      { class: "rd-body" },
      toolRail(state, session, actions, signal),
      el("div", { class: "rd-middle" }, stage.element),
      pairsPanel(session, state, actions, signal),
      settingsDrawer(session, state, signal),
    ),
    resultBar(session, state, stage, actions, signal),
    bar.element,
    historyStrip(session, signal),
    helpSheet(state, root, signal),
  )
  new Keyboard(root, stage, session, state, actions, signal)
  host.append(root)
  watchSight(root, id, session, signal)
  const stay = keepFocus(root, stage.canvas, signal)
  session.changed.on(stay, signal)
  state.changed.on(stay, signal)
  const size = () => fitHeight(session, stage)
  session.changed.on(size, signal)
  size()
  stage.invalidate()
  return () => {
    controller.abort()
    session.see(id, null)
    root.remove()
  }
}

/** Tells the session whether anyone can see this view. */
function watchSight(root: HTMLElement, id: string, session: Session, signal: AbortSignal): void {
  let near = true
  const tell = () => session.see(id, near && document.visibilityState !== "hidden")
  const observer = new IntersectionObserver((entries) => {
    near = entries.some((e) => e.isIntersecting)
    tell()
  })
  observer.observe(root)
  signal.addEventListener("abort", () => observer.disconnect())
  document.addEventListener("visibilitychange", tell, { signal })
  tell()
}

/** The drawing area takes the height the picture wants at this width, within what a cell can bear. */
function fitHeight(session: Session, stage: Stage): void {
  const wish = session.host.number("_height", 0)
  const { picture } = session
  const shape = picture ? picture.width / picture.height : 1.5
  stage.element.style.setProperty("--rd-shape", String(Math.min(3, Math.max(0.6, shape))))
  if (wish > 0) stage.element.style.setProperty("--rd-height", `${Math.max(160, wish)}px`)
  else stage.element.style.removeProperty("--rd-height")
}

/** Gives the keyboard back to the notebook. */
function leave(root: HTMLElement): void {
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur()
  const cell = root.parentElement?.closest<HTMLElement>(".jp-Cell, .cell, [tabindex]")
  cell?.focus({ preventScroll: true })
}
