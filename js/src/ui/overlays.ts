/** What lies over the drawing area: which of the three states is shown, a hint for beginners, and trouble in words. */

import type { ViewState } from "../canvas/viewstate"
import { carriedOf } from "../document/carried"
import { completePairs } from "../document/regions"
import { button, el, setText } from "../dom/elements"
import { isEmpty } from "../geometry/mask"
import type { Session } from "../model/widgetmodel"

export function notices(session: Session, state: ViewState, signal: AbortSignal): HTMLElement[] {
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
    button({ label: "Dismiss", icon: "cross", kind: "quiet", signal, act: () => session.dismiss() }),
  )
  const drop = el("div", { class: "rd-drop", "aria-hidden": "true" }, "Drop the picture here")

  const update = () => {
    const now = showing(session, state)
    label.hidden = now === null
    label.dataset.kind = now?.kind ?? ""
    setText(label, now?.words ?? "")
    sides.hidden = !(session.show === "result" && state.compare !== "off" && !state.original)
    const words = hintFor(session, state)
    hint.hidden = words === ""
    setText(hint, words)
    const connection = {
      readonly: "No kernel: read only",
      gone: "Kernel gone: run the cell again",
    } as Record<string, string>
    badge.hidden = !(session.liveness in connection)
    setText(badge, connection[session.liveness] ?? "")
    trouble.hidden = session.trouble === null
    setText(message, session.trouble?.message ?? "")
    setText(remedy, session.trouble?.remedy ?? "")
  }
  session.changed.on(update, signal)
  state.changed.on(update, signal)
  update()
  return [label, sides, hint, badge, trouble, drop]
}

/** Preview (browser), step or draft (kernel), result: never confused. */
function showing(session: Session, state: ViewState): { kind: string; words: string } | null {
  if (!session.picture) return null
  if (session.show === "result") {
    if (state.original) return { kind: "original", words: "Original" }
    return state.compare === "off" ? { kind: "result", words: "Result" } : null
  }
  const frame = session.frames.current
  if (frame) {
    const words = frame.kind === "draft" ? "Draft" : `Step ${frame.step} of ${frame.total}`
    return { kind: "step", words }
  }
  if (session.live.look?.whole) return { kind: "draft", words: "Draft" }
  const { store } = session
  const carries = store.regions.pairs.some((pair) => pair.visible && carriedOf(pair, store) !== null)
  return state.preview && carries && !state.bare ? { kind: "preview", words: "Preview" } : null
}

/** The next thing a beginner does; nothing for who has done it. */
function hintFor(session: Session, state: ViewState): string {
  const { store } = session
  if (!session.picture) {
    return session.liveness === "readonly"
      ? ""
      : "Open a picture: the folder above, drop a file, or paste one"
  }
  if (
    !session.canDraw ||
    session.liveness === "gone" ||
    session.busy ||
    store.draft ||
    store.ghost ||
    state.tool.active
  )
    return ""
  const { regions } = store
  if (session.history.length > 0) return ""
  if (regions.pairs.every((p) => isEmpty(p.handle) && isEmpty(p.target))) return "Paint over what should move"
  if (completePairs(regions).length === 0) {
    return state.tool.id === "move" ? "Drag the red region to its place" : "Press V and drag it to its place"
  }
  return regions.pairs.length === 1 && session.progress.run === 0 ? "Press Run, or Ctrl+Enter" : ""
}
