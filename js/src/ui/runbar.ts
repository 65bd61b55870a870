/** Run, Stop, Live, and the state in words with its progress. */

import type { ViewState } from "../canvas/viewstate"
import { button, el, setEnabled, setPressed, setText } from "../dom/elements"
import type { Session } from "../model/widgetmodel"

export interface RunBar {
  readonly element: HTMLElement
  /** Shows a short word in the status region for a while; the state of a run or of the kernel goes first. */
  tell(message: string): void
}

/** Milliseconds a short word stays. */
const WORD = 4_000

export function runBar(session: Session, state: ViewState, signal: AbortSignal): RunBar {
  const run = button({
    label: "Run",
    text: "Run",
    icon: "play",
    kind: "primary",
    title: "Run the edit (Ctrl+Enter)",
    signal,
    act: () => session.run(),
  })
  const stop = button({
    label: "Stop",
    text: "Stop",
    icon: "stop",
    title: "Stop after this step (Shift+X)",
    signal,
    act: () => session.stop(),
  })
  const live = button({ label: "Live", text: "Live", icon: "live", signal, act: () => session.live.toggle() })
  const gauge = button({
    label: "Measurements",
    icon: "gauge",
    kind: "quiet",
    title: "Show how quick drafts are",
    signal,
    act: () => state.set({ readout: !state.readout }),
  })
  const words = el("span", { class: "rd-status", role: "status", "aria-live": "polite" })
  const bar = el("progress", { class: "rd-progress", max: 1, "aria-label": "Progress of the edit" })
  const dot = el("span", { class: "rd-dot", "aria-hidden": "true" })
  let said = ""
  let timer: ReturnType<typeof setTimeout> | undefined
  let before = ""
  const update = () => {
    const { progress, busy, status, obstacle } = session
    const now = session.liveness === "live" ? progress.state : session.liveness
    // A word lasts until the state says something new.
    if (status !== before) said = ""
    before = status
    setText(words, said || status)
    setEnabled(run, obstacle === "")
    run.title = obstacle || "Run the edit (Ctrl+Enter)"
    setEnabled(stop, busy && progress.state !== "stopping")
    setPressed(live, session.live.on)
    setEnabled(live, session.live.obstacle === "")
    live.title = liveTitle(session)
    setPressed(gauge, state.readout)
    setEnabled(gauge, !session.readOnly)
    bar.hidden = !busy
    if (progress.total > 0 && progress.step > 0) bar.value = progress.step / progress.total
    else bar.removeAttribute("value")
    dot.dataset.state = now
  }
  session.changed.on(update, signal)
  state.changed.on(update, signal)
  update()
  const spoken = el("div", { class: "rd-words" }, dot, words)
  const element = el("div", { class: "rd-run" }, run, stop, live, spoken, gauge, bar)
  const tell = (message: string) => {
    const { liveness, busy } = session
    if (busy || (liveness !== "live" && liveness !== "waiting")) return
    said = message
    setText(words, message)
    clearTimeout(timer)
    timer = setTimeout(() => {
      said = ""
      update()
    }, WORD)
  }
  signal.addEventListener("abort", () => clearTimeout(timer))
  session.said.on(tell, signal)
  return { element, tell }
}

/** What Live does, whether it was chosen, and how quick it would be. */
function liveTitle({ live, settings }: Session): string {
  if (live.obstacle) return live.obstacle
  const ms = live.measured?.draftMs ?? null
  const quick = ms === null ? "" : ` A draft takes ${Math.round(ms)} ms here.`
  const chosen = settings.live === null ? (live.on ? " On by itself." : " Off by itself.") : ""
  return `Live: drafts while you drag, the full edit when you let go.${quick}${chosen}`
}
