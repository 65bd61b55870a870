/**
 * VS Code leaves single letters to the notebook unless a text field in the output has the focus; there the keys are
 * taken by a hidden field beside the canvas. Elsewhere the canvas itself has the focus.
 */
import { el } from "./elements"

export function inVsCode(root: Element): boolean {
  return getComputedStyle(root).getPropertyValue("--vscode-editor-background").trim() !== ""
}

/** The hidden field, named like the canvas whose keys it takes; out of the tab order. */
export function keyField(canvas: HTMLCanvasElement, signal: AbortSignal): HTMLTextAreaElement {
  const field = el("textarea", {
    class: "rd-key-field",
    "aria-label": "Keys of the region canvas",
    tabindex: -1,
    autocomplete: "off",
    spellcheck: "false",
  })
  canvas.addEventListener(
    "focus",
    () => {
      if (inVsCode(canvas)) field.focus({ preventScroll: true })
    },
    { signal },
  )
  // What is typed is a command; nothing is to pile up here.
  field.addEventListener(
    "input",
    () => {
      field.value = ""
    },
    { signal },
  )
  return field
}

/**
 * Keeps the keyboard in the widget: where the control that has the focus is switched off or hidden, the canvas takes
 * it. Else the next key would go to the notebook, whose single letters delete cells.
 */
export function keepFocus(root: HTMLElement, canvas: HTMLElement, signal: AbortSignal): () => void {
  let last: HTMLElement | null = null
  root.addEventListener(
    "focusin",
    (event) => {
      last = event.target as HTMLElement
    },
    { signal },
  )
  // Going elsewhere on purpose names where to; a control that vanishes names nothing.
  root.addEventListener(
    "focusout",
    (event) => {
      if (event.relatedTarget && !root.contains(event.relatedTarget as Node)) last = null
    },
    { signal },
  )
  document.addEventListener(
    "pointerdown",
    (event) => {
      if (!root.contains(event.target as Node)) last = null
    },
    { signal, capture: true },
  )
  return () => {
    // The canvas itself is always there; asking costs a layout, and this is asked at every stroke.
    if (!last || last === canvas) return
    const active = document.activeElement
    if (active !== last && active !== document.body) return
    if (!last.matches(":disabled") && last.checkVisibility?.() !== false && last.isConnected) return
    last = canvas
    canvas.focus({ preventScroll: true })
  }
}
