/** The list of pairs, and the buttons that act on the active one. */

import { css, shade } from "../canvas/colors"
import type { ViewState } from "../canvas/viewstate"
import type { Pair } from "../document/pair"
import { reorderPair, selectedPair } from "../document/regions"
import { onChange } from "../document/signal"
import { button, el, listen, setEnabled } from "../dom/elements"
import { isEmpty } from "../geometry/mask"
import type { WidgetModel } from "../model/widgetmodel"
import type { Actions } from "./actions"
import { adjustRow } from "./adjustrow"
import { carryLine, carryWords } from "./carryline"
import { actionRow, numbersRow } from "./placerow"

/** The panel of one view. */
export function pairsPanel(
  widget: WidgetModel,
  state: ViewState,
  actions: Actions,
  signal: AbortSignal,
): HTMLElement {
  const { store } = widget
  const add = button({
    label: "New pair",
    icon: "plus",
    title: "New pair (N)",
    signal,
    act: () => actions.newPair(),
  })
  const remove = button({
    label: "Delete pair",
    icon: "trash",
    title: "Delete the active pair (Delete)",
    signal,
    act: () => actions.removePair(),
  })
  const copy = button({
    label: "Duplicate",
    icon: "copy",
    title: "Duplicate the active pair (Ctrl+D)",
    signal,
    act: () => actions.duplicate(),
  })
  const flipX = button({
    label: "Flip across",
    icon: "flipX",
    title: "Flip across (F)",
    signal,
    act: () => actions.flip("x"),
  })
  const flipY = button({
    label: "Flip upside down",
    icon: "flipY",
    title: "Flip upside down (Shift+F)",
    signal,
    act: () => actions.flip("y"),
  })
  const home = button({
    text: "Back to start",
    kind: "quiet",
    title: "Put the object back where it was, not turned and not scaled",
    signal,
    act: () => actions.resetDrag(),
  })
  const clear = button({
    text: "Clear",
    kind: "quiet",
    signal,
    act: () => actions.clearLayer(),
  })
  const opacity = el("input", {
    type: "range",
    min: 0,
    max: 1,
    step: 0.05,
    value: state.opacity,
    class: "rd-range",
    "aria-label": "Opacity of regions",
    title: "Opacity of regions; hold M to hide them",
  })
  listen(opacity, "input", () => state.set({ opacity: Number(opacity.value) }), signal)
  const list = el("ol", { class: "rd-list", "aria-label": "Pairs" })
  const empty = el("p", { class: "rd-empty" }, "No pairs yet. Click or paint what should move.")

  let shown: readonly Pair[] | null = null
  let selected = -2
  let known = ""
  const update = () => {
    const { regions } = store
    const pair = selectedPair(regions)
    const still = widget.picture === null || widget.readOnly
    setEnabled(add, !still)
    setEnabled(remove, !still && pair !== null && !pair.locked)
    setEnabled(copy, !still && pair !== null)
    const drag = !still && pair !== null && !pair.locked && !isEmpty(pair.handle)
    for (const node of [flipX, flipY]) setEnabled(node, drag)
    setEnabled(home, drag && pair?.matrix !== null)
    clear.title = `Clear the ${state.layer === "protect" ? "protected area" : `active pair's ${state.layer}`}`
    setEnabled(
      clear,
      !still &&
        (state.layer === "protect"
          ? !isEmpty(regions.protect)
          : pair !== null && !isEmpty(pair[state.layer])),
    )
    const dragged = store.ghost?.pairId ?? ""
    const carries = [dragged, ...regions.pairs.map((p) => carryWords(p, widget))].join("\n")
    if (regions.pairs === shown && regions.selected === selected && carries === known) return
    // Do not replace a name while it is being typed.
    if (
      list.contains(document.activeElement) &&
      document.activeElement?.matches("input") &&
      sameIds(shown, regions.pairs)
    )
      return
    known = carries
    shown = regions.pairs
    selected = regions.selected
    const refocus = focusedIn(list)
    list.replaceChildren(
      ...regions.pairs.map((p, i) => row(p, i, i === selected, widget, actions, signal, still)),
    )
    if (refocus) list.querySelector<HTMLElement>(refocus)?.focus({ preventScroll: true })
    empty.hidden = regions.pairs.length > 0
    list.hidden = !empty.hidden
  }
  onChange([widget, state], update, signal)
  listen(list, "focusout", () => setTimeout(() => signal.aborted || update()), signal)
  update()
  return el(
    "aside",
    { class: "rd-side", "aria-label": "Pairs of regions" },
    el("header", { class: "rd-side-head" }, el("h3", {}, "Pairs"), add, copy, remove),
    list,
    empty,
    actionRow(widget, actions, signal),
    numbersRow(widget, actions, signal),
    adjustRow(widget, state, actions, signal),
    el("div", { class: "rd-row rd-pair-tools" }, flipX, flipY, home, el("span", { class: "rd-gap" }), clear),
    el("label", { class: "rd-row rd-opacity" }, el("span", {}, "Opacity"), opacity),
  )
}

function row(
  pair: Pair,
  index: number,
  active: boolean,
  widget: WidgetModel,
  actions: Actions,
  signal: AbortSignal,
  still: boolean,
): HTMLElement {
  const { store } = widget
  const title = pair.name || `Pair ${index + 1}`
  const number = el("span", { class: "rd-badge-number" }, String(index + 1))
  number.style.setProperty("--rd-handle", css(shade("handle", pair.color)))
  number.style.setProperty("--rd-target", css(shade("target", pair.color)))
  const choose = button({
    label: `Pair ${index + 1}`,
    title: "Make this the active pair",
    signal,
    act: () => store.select(index),
  })
  choose.classList.add("rd-choose")
  choose.dataset.focus = `choose-${pair.id}`
  choose.append(number)
  if (active) choose.setAttribute("aria-current", "true")
  const name = el("input", {
    class: "rd-name",
    type: "text",
    value: pair.name,
    placeholder: `Pair ${index + 1}`,
    maxlength: 80,
    "aria-label": `Name of pair ${index + 1}`,
    disabled: still,
  })
  listen(name, "focus", () => store.select(index), signal)
  listen(
    name,
    "change",
    () => {
      if (name.value.trim() !== pair.name) actions.changePair(index, { name: name.value.trim() })
    },
    signal,
  )
  listen(
    name,
    "keydown",
    (e) => {
      if (e.key === "Enter") actions.focus()
    },
    signal,
  )
  const small = (
    label: string,
    icon: Parameters<typeof button>[0]["icon"] & string,
    act: () => void,
    pressed?: boolean,
  ) => {
    const node = button({ label: `${label} ${title}`, title: label, icon, kind: "quiet", signal, act })
    node.dataset.focus = `${label.split(" ")[0]}-${pair.id}`
    if (pressed !== undefined) node.setAttribute("aria-pressed", String(pressed))
    setEnabled(node, !still)
    return node
  }
  const up = small("Move up", "up", () => store.commit(reorderPair(store.regions, index, index - 1)))
  const down = small("Move down", "down", () => store.commit(reorderPair(store.regions, index, index + 1)))
  up.dataset.focus = `up-${pair.id}`
  down.dataset.focus = `down-${pair.id}`
  setEnabled(up, !still && index > 0)
  setEnabled(down, !still && index < store.regions.pairs.length - 1)
  const state = placeWords(pair, store.ghost?.pairId === pair.id)
  const carry = isEmpty(pair.handle) ? null : carryLine(pair, index, widget, actions, signal, still)
  return el(
    "li",
    { class: `rd-pair${active ? " rd-active" : ""}${pair.visible ? "" : " rd-dim"}` },
    choose,
    el("div", { class: "rd-names" }, name, state && el("span", { class: "rd-hint-small" }, state)),
    up,
    down,
    small(
      pair.visible ? "Hide" : "Show",
      pair.visible ? "eye" : "eyeOff",
      () => actions.changePair(index, { visible: !pair.visible }),
      !pair.visible,
    ),
    small(
      pair.locked ? "Unlock" : "Lock",
      pair.locked ? "lock" : "unlock",
      () => actions.changePair(index, { locked: !pair.locked }),
      pair.locked,
    ),
    carry,
  )
}

/** What is still missing, or what besides a move happens; empty for a complete move. */
function placeWords({ handle, target, action }: Pair, dragged: boolean): string {
  if (isEmpty(handle)) return "not drawn"
  if (action === "remove") return "will be removed"
  if (isEmpty(target) && !dragged) return "no place yet"
  return action === "copy" ? "a copy; the original stays" : ""
}

function sameIds(a: readonly Pair[] | null, b: readonly Pair[]): boolean {
  return a !== null && a.length === b.length && a.every((p, i) => p.id === b[i]?.id)
}

/** A selector for the button that has the focus, so that the new list can give it back. */
function focusedIn(list: HTMLElement): string | null {
  const node = document.activeElement
  if (!(node instanceof HTMLElement) || !list.contains(node) || !node.dataset.focus) return null
  return `[data-focus="${CSS.escape(node.dataset.focus)}"]`
}
