/** What happens to the active pair's content, and its place in numbers that can be typed. */

import type { Action } from "../document/pair"
import { selectedPair } from "../document/regions"
import { button, el, listen, setEnabled, setPressed } from "../dom/elements"
import { isEmpty } from "../geometry/mask"
import { IDENTITY, isAffine } from "../geometry/matrix"
import { numbersOf, type PlaceNumbers, withNumber } from "../geometry/numbers"
import type { WidgetModel } from "../model/widgetmodel"
import type { Actions } from "./actions"

const ACTIONS: readonly { action: Action; label: string; title: string }[] = [
  { action: "move", label: "Move", title: "The object moves, and the place it leaves is filled" },
  { action: "copy", label: "Copy", title: "A copy moves, and the original stays (Shift+D; Alt-drag)" },
  { action: "remove", label: "Remove", title: "The object is removed and its place filled (Shift+Delete)" },
]

const FIELDS: readonly { name: keyof PlaceNumbers; label: string; unit: string; long: string }[] = [
  { name: "x", label: "X", unit: "px", long: "Movement to the right in pixels" },
  { name: "y", label: "Y", unit: "px", long: "Movement down in pixels" },
  { name: "scale", label: "Size", unit: "%", long: "Size in percent" },
  { name: "angle", label: "Turn", unit: "°", long: "Turn in degrees, counter-clockwise" },
]

/** The buttons for what happens to the active pair's content. */
export function actionRow(widget: WidgetModel, actions: Actions, signal: AbortSignal): HTMLElement {
  const buttons = ACTIONS.map(({ action, label, title }) => ({
    action,
    node: button({ text: label, title, signal, act: () => actions.setAction(action) }),
  }))
  const update = () => {
    const pair = selectedPair(widget.store.regions)
    const usable = pair !== null && !pair.locked && !isEmpty(pair.handle) && !widget.readOnly
    for (const { action, node } of buttons) {
      setPressed(node, pair?.action === action)
      setEnabled(node, usable)
    }
  }
  widget.changed.on(update, signal)
  update()
  const group = { class: "rd-row rd-actions", role: "group", "aria-label": "What happens to the content" }
  return el("div", group, ...buttons.map(({ node }) => node))
}

/** The numbers of the active pair's place. */
export function numbersRow(widget: WidgetModel, actions: Actions, signal: AbortSignal): HTMLElement {
  const { store } = widget
  const fields = FIELDS.map(({ name, label, unit, long }) => {
    const node = el("input", {
      type: "number",
      step: name === "x" || name === "y" ? 1 : "any",
      class: "rd-place",
      "aria-label": long,
      title: long,
    })
    listen(
      node,
      "change",
      () => {
        const pair = selectedPair(store.regions)
        const value = Number(node.value)
        if (!pair || node.value === "" || !Number.isFinite(value)) return update(true)
        actions.place((p) => withNumber(p.handle, p.matrix ?? IDENTITY, name, value))
        update(true)
      },
      signal,
    )
    listen(node, "blur", () => update(true), signal)
    return { name, node, row: el("label", {}, el("span", {}, label), node, el("span", {}, unit)) }
  })
  const update = (evenFocused = false) => {
    const pair = selectedPair(store.shown)
    const ghost = store.ghost?.pairId === pair?.id && !store.ghost?.painted ? store.ghost : null
    const matrix = ghost?.matrix ?? pair?.matrix ?? IDENTITY
    const painted = pair !== null && pair.matrix === null && !isEmpty(pair.target)
    const usable = pair !== null && !pair.locked && !isEmpty(pair.handle) && !painted && isAffine(matrix)
    const now = usable ? numbersOf(pair.handle, matrix) : null
    for (const { name, node } of fields) {
      node.disabled = now === null || widget.readOnly
      // What is being typed is left alone.
      if (!evenFocused && document.activeElement === node) continue
      const text = now ? String(Math.round(now[name] * 10) / 10 + 0) : ""
      if (node.value !== text) node.value = text
    }
  }
  widget.changed.on(() => update(), signal)
  update()
  const group = { class: "rd-row rd-places", role: "group", "aria-label": "Place of the active pair" }
  return el("div", group, ...fields.map(({ row }) => row))
}
