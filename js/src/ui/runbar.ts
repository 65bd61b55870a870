/** Run, Stop, Live, and the state in words with its progress. */

import type { ViewState } from "../canvas/viewstate"
import { onChange } from "../document/signal"
import { button, el, setEnabled, setPressed, setText } from "../dom/elements"
import { paceInWords } from "../model/progress"
import type { WidgetModel } from "../model/widgetmodel"

/** The bar, and the status line in it. */
export interface RunBar {
  readonly element: HTMLElement
  /** Shows a short message in the status line for a while, unless the state of a run or of the kernel matters more. */
  notify(message: string): void
}

/** Milliseconds between two looks at how far a run has come. */
const TICK = 250
/** Milliseconds that a short message stays. */
const MESSAGE = 4_000

/** The bar below the picture. */
export function runBar(widget: WidgetModel, state: ViewState, signal: AbortSignal): RunBar {
  const run = button({
    text: "Run",
    icon: "play",
    kind: "primary",
    title: "Run the edit (Ctrl+Enter)",
    signal,
    act: () => widget.run(),
  })
  const stop = button({
    text: "Stop",
    icon: "stop",
    title: "Stop after this step (Shift+X)",
    signal,
    act: () => widget.stop(),
  })
  const live = button({ text: "Live", icon: "live", signal, act: () => widget.live.toggle() })
  const gauge = button({
    label: "Measurements",
    icon: "gauge",
    kind: "quiet",
    title: "Show how fast drafts are",
    signal,
    act: () => state.set({ readout: !state.readout }),
  })
  const words = el("span", { class: "rd-status", role: "status", "aria-live": "polite" })
  const bar = el("progress", { class: "rd-progress", max: 1, "aria-label": "Progress of the edit" })
  const share = el("span", { class: "rd-share", "aria-hidden": "true" })
  const dot = el("span", { class: "rd-dot", "aria-hidden": "true" })
  let said = ""
  let timer: ReturnType<typeof setTimeout> | undefined
  let before = ""
  let ticking: ReturnType<typeof setInterval> | undefined
  // The share goes on between two messages of the kernel; it is not announced each time.
  const tick = () => {
    const { pace, busy, progress } = widget.runs
    if (busy && pace.share !== null) bar.value = pace.share
    else bar.removeAttribute("value")
    setText(share, bar.hidden ? "" : paceInWords(pace, progress.step))
  }
  const update = () => {
    const { status, obstacle } = widget
    const { progress, busy } = widget.runs
    const now = widget.liveness === "live" ? progress.state : widget.liveness
    // A message stays until the state changes.
    if (status !== before) said = ""
    before = status
    setText(words, said || status)
    setEnabled(run, obstacle === "")
    run.title = obstacle || "Run the edit (Ctrl+Enter)"
    setPressed(live, widget.live.on)
    setEnabled(live, widget.live.obstacle === "")
    live.title = liveTitle(widget)
    setPressed(gauge, state.readout)
    setEnabled(gauge, !widget.readOnly)
    bar.hidden = !busy || widget.readOnly || widget.liveness === "gone"
    setEnabled(stop, !bar.hidden && progress.state !== "stopping")
    tick()
    if (busy) ticking ??= setInterval(tick, TICK)
    else {
      clearInterval(ticking)
      ticking = undefined
    }
    dot.dataset.state = now
  }
  onChange([widget, state], update, signal)
  update()
  const spoken = el("div", { class: "rd-words" }, dot, words, share)
  const element = el("div", { class: "rd-run" }, run, stop, live, spoken, gauge, bar)
  const notify = (message: string) => {
    const { liveness } = widget
    const { busy } = widget.runs
    if (busy || (liveness !== "live" && liveness !== "waiting")) return
    said = message
    setText(words, message)
    clearTimeout(timer)
    timer = setTimeout(() => {
      said = ""
      update()
    }, MESSAGE)
  }
  signal.addEventListener("abort", () => {
    clearTimeout(timer)
    clearInterval(ticking)
  })
  widget.notified.on(notify, signal)
  // A message about what was drawn is out of date once something else is.
  widget.store.committed.on(() => {
    if (said === "") return
    said = ""
    update()
  }, signal)
  return { element, notify }
}

/** What Live does, whether the user chose it, and how fast it would be. */
function liveTitle({ live, settings }: WidgetModel): string {
  if (live.obstacle) return live.obstacle
  const ms = live.measured?.draft_ms ?? null
  const speed = ms === null ? "" : ` A draft takes ${Math.round(ms)} ms here.`
  const chosen =
    settings.current.live === null ? (live.on ? " On automatically." : " Off automatically.") : ""
  return `Live: drafts while you drag, the full edit when you release.${speed}${chosen}`
}
