/**
 * VS Code leaves single letters to the notebook unless a text field in the output has the focus; there the keys are
 * taken by a hidden field beside the canvas. Elsewhere the canvas itself has the focus.
 */
import { el } from "./ui/dom"

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
