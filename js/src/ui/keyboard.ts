/** The keyboard of one view; it listens only while something inside the view has the focus. */

import type { Stage } from "../canvas/stage"
import type { ViewState } from "../canvas/viewstate"
import { listen } from "../dom/elements"
import type { WidgetModel } from "../model/widgetmodel"
import type { Actions } from "./actions"
import { type Command, commandOf } from "./shortcuts"

/** Keys that act while they are held. */
const HELD: Record<string, "hand" | "original" | "bare"> = {
  " ": "hand",
  h: "hand",
  c: "original",
  m: "bare",
  "\\": "bare",
}

/** Turns key presses into commands while the focus is inside the view. */
export class Keyboard {
  constructor(
    private readonly root: HTMLElement,
    private readonly stage: Stage,
    private readonly widget: WidgetModel,
    private readonly state: ViewState,
    private readonly actions: Actions,
    signal: AbortSignal,
  ) {
    listen(root, "keydown", (e) => this.down(e), signal)
    listen(root, "keyup", (e) => this.up(e), signal)
    // Otherwise a key released elsewhere would stay down for ever.
    listen(root, "focusout", () => this.releaseAll(), signal)
    listen(window, "blur", () => this.releaseAll(), signal)
  }

  private down(event: KeyboardEvent): void {
    if (event.isComposing) return
    const command = commandOf({
      key: event.key,
      ctrl: event.ctrlKey || event.metaKey,
      shift: event.shiftKey,
      alt: event.altKey,
    })
    if (command && this.mayAct(command, event) && this.actions.perform(command)) event.preventDefault()
    // The notebook must not act on keys meant for the widget, even those that mean nothing here.
    event.stopPropagation()
  }

  private up(event: KeyboardEvent): void {
    const held = HELD[event.key.toLowerCase()]
    if (held && this.state[held]) this.state.set({ [held]: false })
    event.stopPropagation()
  }

  /** Whether a key may give this command here: all on the canvas, some on a button, few in a text field. */
  private mayAct(command: Command, event: KeyboardEvent): boolean {
    const target = event.target as HTMLElement
    if (command.do === "run" || command.do === "escape") return true
    if (command.do === "paste") {
      // The paste event tells a picture from a pair. Some hosts swallow it, so the key pastes a pair after a while.
      if (this.stage.focused) this.actions.pasteSoon()
      return false
    }
    if (this.stage.focused) return !(command.do === "original" && this.widget.screen.showing !== "result")
    if (target.matches("input, textarea, select")) return false
    const forButton = [
      "enter",
      "enterAdd",
      "enterCut",
      "hand",
      "next",
      "previous",
      "nudge",
      "backspace",
      "delete",
    ]
    return !forButton.includes(command.do) && this.root.contains(target)
  }

  private releaseAll(): void {
    const { hand, original, bare } = this.state
    if (hand || original || bare) this.state.set({ hand: false, original: false, bare: false })
  }
}
