/** A line of the list of pairs: what a pair carries, and the buttons that change it. */
import type { Pair } from "../document/pair"
import { button, el, setEnabled } from "../dom/elements"
import { carryOf, otherCarry, sentence, surpriseIn } from "../model/carrying"
import type { WidgetModel } from "../model/widgetmodel"
import type { Actions } from "./actions"

const CARRY = { object: "Object", painted: "As painted", mask: "As chosen" } as const

/** What a pair carries in words, as far as that is known. */
export function carryWords(pair: Pair, { store, settings }: WidgetModel): string {
  const label = CARRY[carryOf(pair, settings.current.matte)]
  const found = store.findings.of(pair)
  return `${label}: ${found?.words ?? ""}`
}

/** What a pair carries: a button that switches it, and what the kernel has found, with what can be done about it. */
export function carryLine(
  pair: Pair,
  index: number,
  widget: WidgetModel,
  actions: Actions,
  signal: AbortSignal,
  still: boolean,
): HTMLElement {
  const carry = carryOf(pair, widget.settings.current.matte)
  const found = widget.store.findings.of(pair)
  const usable = !still && !pair.locked
  const other = otherCarry(carry) === "painted" ? "all that is painted" : "the object in the handle"
  const change = button({
    label: `${CARRY[carry]}, pair ${index + 1}`,
    text: CARRY[carry],
    title: `Carry ${other} instead (A)`,
    signal,
    act: () => actions.switchCarry(index),
  })
  change.dataset.focus = `carry-${pair.id}`
  setEnabled(change, usable)
  const said = found && surpriseIn(found, carry)
  const grow =
    found?.larger &&
    button({
      text: "Grow the handle to it",
      title: "Grow the handle to the whole object",
      signal,
      act: () => actions.growHandle(index),
    })
  if (grow) {
    grow.dataset.focus = `grow-${pair.id}`
    setEnabled(grow, usable)
  }
  return el(
    "div",
    { class: "rd-carry" },
    change,
    said && el("span", { class: "rd-hint-small" }, sentence(said)),
    grow,
  )
}
