/** What there is to do with a result, and the strip of earlier ones. */

import type { Compare } from "../canvas/base"
import type { Stage } from "../canvas/stage"
import type { ViewState } from "../canvas/viewstate"
import { button, download, el, setEnabled, setPressed } from "../dom/elements"
import { icon } from "../dom/icons"
import { bytesOf } from "../kernel/host"
import type { Session } from "../model/widgetmodel"
import type { Actions } from "./actions"
import { randomSeed } from "./settingsdrawer"

export function resultBar(
  session: Session,
  state: ViewState,
  stage: Stage,
  actions: Actions,
  signal: AbortSignal,
): HTMLElement {
  const toggle = (mode: Compare) => actions.compare(state.compare === mode ? "off" : mode)
  const regions = button({
    label: "Regions",
    text: "Regions",
    title: "Back to the regions; the result stays in the strip",
    signal,
    act: () => session.showRegions(),
  })
  const result = button({
    label: "Result",
    text: "Result",
    title: "Show the result",
    signal,
    act: () => session.showResult(),
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
    title: "Original and result side by side",
    signal,
    act: () => toggle("side"),
  })
  const hold = button({
    label: "Original",
    icon: "eye",
    title: "Hold to see the original (C)",
    signal,
    act: () => {},
  })
  const peek = (original: boolean) => () => {
    if (state.original !== original) state.set({ original })
  }
  hold.addEventListener("pointerdown", peek(true), { signal })
  for (const event of ["pointerup", "pointercancel", "pointerleave", "blur"])
    hold.addEventListener(event, peek(false), { signal })
  hold.addEventListener(
    "keydown",
    (e) => {
      if (e.key === " " || e.key === "Enter") peek(true)()
    },
    { signal },
  )
  hold.addEventListener("keyup", peek(false), { signal })
  const again = button({
    label: "Another seed",
    icon: "dice",
    title: "Run again with another seed",
    signal,
    act: () => session.run({ seed: randomSeed() }),
  })
  const save = button({
    label: "Download PNG",
    icon: "save",
    signal,
    act: () => session.result && download(session.result.bytes, "image/png", fileName(session)),
  })
  const accept = button({
    label: "Accept",
    icon: "check",
    text: "Accept",
    kind: "primary",
    title: "The result becomes the picture",
    signal,
    act: () => session.accept(),
  })
  const discard = button({
    label: "Discard",
    icon: "cross",
    text: "Discard",
    title: "Drop the result, keep the regions",
    signal,
    act: () => session.discard(),
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
    // Always there, so that nothing jumps when a result comes: off until there is one.
    bar.hidden = session.picture === null
    const ready = session.result !== null && !session.busy
    const showing = ready && session.show === "result"
    for (const node of [regions, result, compare, side, save]) setEnabled(node, ready)
    setPressed(regions, ready && !showing)
    setPressed(result, showing)
    setPressed(compare, showing && state.compare === "slider")
    setPressed(side, showing && state.compare === "side")
    setPressed(hold, state.original)
    setEnabled(hold, showing)
    const alive = !session.readOnly && session.liveness !== "gone"
    for (const node of [accept, discard]) setEnabled(node, ready && alive)
    setEnabled(again, ready && session.obstacle === "")
  }
  session.changed.on(update, signal)
  state.changed.on(update, signal)
  update()
  stage.element.append(splitLine(session, state, stage, signal))
  return bar
}

/** The divider of the slider: for the eye, and for the arrow keys. */
function splitLine(session: Session, state: ViewState, stage: Stage, signal: AbortSignal): HTMLElement {
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
  knob.addEventListener(
    "keydown",
    (e) => {
      const by = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[e.key]
      if (by === undefined) return
      e.preventDefault()
      e.stopPropagation()
      state.set({ split: Math.min(1, Math.max(0, state.split + by)) })
    },
    { signal },
  )
  knob.addEventListener(
    "pointerdown",
    (e) => {
      e.preventDefault()
      knob.focus()
      knob.setPointerCapture(e.pointerId)
    },
    { signal },
  )
  knob.addEventListener(
    "pointermove",
    (e) => {
      if (!knob.hasPointerCapture(e.pointerId)) return
      state.set({ split: Math.min(1, Math.max(0, stage.place(e).x / Math.max(1, stage.viewSize.width))) })
    },
    { signal },
  )
  const update = () => {
    knob.hidden = !(session.show === "result" && state.compare === "slider" && !state.original)
    knob.style.left = `${state.split * 100}%`
    knob.setAttribute("aria-valuenow", String(Math.round(state.split * 100)))
  }
  session.changed.on(update, signal)
  state.changed.on(update, signal)
  update()
  return knob
}

/** Earlier results, newest last; a click brings one back with its regions and settings. */
export function historyStrip(session: Session, signal: AbortSignal): HTMLElement {
  const strip = el("div", { class: "rd-strip", role: "group", "aria-label": "Earlier results", hidden: true })
  const addresses = new Map<string, { url: string; bytes: unknown }>()
  let before = ""
  let held = new AbortController()
  const update = () => {
    const entries = session.history
    const thumbs = session.host.record("_thumbs")
    strip.hidden = entries.length === 0
    const key = JSON.stringify([
      entries.map((e) => e.id),
      session.resultInfo?.id,
      session.readOnly,
      Object.keys(thumbs),
    ])
    if (key === before) return
    before = key
    held.abort()
    held = new AbortController()
    for (const [id, { url, bytes }] of addresses) {
      if (thumbs[id] === bytes && entries.some((e) => e.id === id)) continue
      URL.revokeObjectURL(url)
      addresses.delete(id)
    }
    const nodes = entries.map((entry, i) => {
      const bytes = bytesOf(thumbs[entry.id])
      if (bytes && bytes.length > 0 && !addresses.has(entry.id)) {
        const url = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }))
        addresses.set(entry.id, { url, bytes: thumbs[entry.id] })
      }
      const label = `Result ${i + 1}, seed ${entry.seed}`
      const node = button({
        label,
        title: `${label}${entry.seconds ? `, ${entry.seconds.toFixed(1)} s` : ""}: bring it back with its regions and settings`,
        signal: held.signal,
        act: () => session.restore(entry.id),
      })
      node.classList.add("rd-thumb")
      const url = addresses.get(entry.id)?.url
      if (url) node.append(el("img", { src: url, alt: "" }))
      node.append(el("span", {}, String(i + 1)))
      if (session.resultInfo?.id === entry.id) node.setAttribute("aria-current", "true")
      setEnabled(node, !session.readOnly)
      return node
    })
    strip.replaceChildren(...nodes)
    strip.scrollLeft = strip.scrollWidth
  }
  session.changed.on(update, signal)
  signal.addEventListener("abort", () => {
    held.abort()
    for (const { url } of addresses.values()) URL.revokeObjectURL(url)
  })
  update()
  return strip
}

function fileName(session: Session): string {
  const stem = (session.pictureName || "picture").replace(/^.*[\\/]/, "").replace(/\.[^.]*$/, "")
  return `${stem}-dragged-${session.resultInfo?.seed ?? 0}.png`
}
