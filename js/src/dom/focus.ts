/**
 * Keeps the keyboard in the widget. VS Code gives single letters to the notebook unless a text field in the output has
 * the focus, so there a hidden field beside the canvas takes the keys. Elsewhere the canvas itself has the focus.
 */
import { el, listen } from "./elements"

/** Whether the page is one of VS Code. */
export function inVsCode(root: Element): boolean {
  return getComputedStyle(root).getPropertyValue("--vscode-editor-background").trim() !== ""
}

/** The hidden field that takes the canvas's keys in VS Code; out of the tab order. */
export function keyField(canvas: HTMLCanvasElement, signal: AbortSignal): HTMLTextAreaElement {
  const field = el("textarea", {
    class: "rd-key-field",
    "aria-label": "Keys of the region canvas",
    tabindex: -1,
    autocomplete: "off",
    spellcheck: "false",
  })
  listen(
    canvas,
    "focus",
    () => {
      if (inVsCode(canvas)) field.focus({ preventScroll: true })
    },
    signal,
  )
  // What is typed is a command; the field stays empty.
  listen(
    field,
    "input",
    () => {
      field.value = ""
    },
    signal,
  )
  return field
}

/**
 * Returns a function that moves the focus to the canvas if the control that had it was disabled or hidden. Otherwise
 * the next key would go to the notebook, where single letters delete cells.
 */
export function keepFocus(root: HTMLElement, canvas: HTMLElement, signal: AbortSignal): () => void {
  let last: HTMLElement | null = null
  listen(
    root,
    "focusin",
    (event) => {
      last = event.target as HTMLElement
    },
    signal,
  )
  // Moving the focus on purpose names its new place; a control that vanishes names none.
  listen(
    root,
    "focusout",
    (event) => {
      if (event.relatedTarget && !root.contains(event.relatedTarget as Node)) last = null
    },
    signal,
  )
  document.addEventListener(
    "pointerdown",
    (event) => {
      if (!root.contains(event.target as Node)) last = null
    },
    { signal, capture: true },
  )
  return () => {
    // The canvas never vanishes. Checking costs a layout, and this runs with every stroke.
    if (!last || last === canvas) return
    const active = document.activeElement
    if (active !== last && active !== document.body) return
    if (!last.matches(":disabled") && last.checkVisibility?.() !== false && last.isConnected) return
    last = canvas
    canvas.focus({ preventScroll: true })
  }
}
