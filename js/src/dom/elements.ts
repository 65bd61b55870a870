/** Makes elements. Text is always inserted as text, never as markup. */
import { type IconName, icon } from "./icons"

/** What an element may contain; the rest is left out. */
export type Child = Node | string | null | undefined | false

type Attributes = Record<string, string | number | boolean | null | undefined>

const FOCUSABLE = new Set<string>(["button", "input", "select", "textarea"])

/** Makes an element: `el("button", { class: "rd-button", "aria-label": "Run" }, "Run")`; null and false attributes are left out. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag)
  // Lumino looks at the focused element before its ancestors: without this, a notebook takes its keys.
  if (FOCUSABLE.has(tag) || "tabindex" in attributes) node.setAttribute("data-lm-suppress-shortcuts", "true")
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue
    node.setAttribute(name, value === true ? "" : String(value))
  }
  node.append(...children.filter((c): c is Node | string => Boolean(c)))
  return node
}

/** The events of a target, by name. */
type Events<T> = T extends Window
  ? WindowEventMap
  : T extends Document
    ? DocumentEventMap
    : HTMLElementEventMap

/** Calls `listener` with every event of this type, until `signal` is aborted. */
export function listen<T extends Window | Document | HTMLElement, K extends string & keyof Events<T>>(
  target: T,
  type: K,
  listener: (event: Events<T>[K]) => void,
  signal: AbortSignal,
): void {
  target.addEventListener(type, listener as (event: never) => void as EventListener, { signal })
}

/** What a button looks like and does. */
export interface ButtonOptions {
  /** The accessible name, where it is not the text. */
  readonly label?: string
  readonly title?: string
  readonly icon?: IconName
  readonly text?: string
  readonly kind?: "primary" | "quiet"
  readonly signal: AbortSignal
  readonly act: () => void
}

/** A button with an icon, a text or both. */
export function button(options: ButtonOptions): HTMLButtonElement {
  const { label, title, text, kind } = options
  const node = el(
    "button",
    {
      type: "button",
      class: `rd-button${kind ? ` rd-${kind}` : ""}`,
      "aria-label": label,
      title: title ?? label ?? text,
    },
    options.icon && icon(options.icon),
    text && el("span", {}, text),
  )
  listen(node, "click", () => options.act(), options.signal)
  return node
}

/** Makes everything beside a dialog's veil unreachable while it is open. */
export function setModal(veil: HTMLElement, open: boolean): void {
  for (const sibling of veil.parentElement?.children ?? []) {
    if (sibling !== veil && sibling instanceof HTMLElement) sibling.inert = open
  }
}

/** Writes text only if it differs, so that screen readers announce it once. */
export function setText(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text
}

/** Shows a toggle button as on or off. */
export function setPressed(button: HTMLElement, pressed: boolean): void {
  button.setAttribute("aria-pressed", String(pressed))
}

/** Enables or disables a button. */
export function setEnabled(button: HTMLButtonElement, enabled: boolean): void {
  if (button.disabled === enabled) button.disabled = !enabled
}

/** Lets the browser save bytes as a file. */
export function download(bytes: Uint8Array<ArrayBuffer>, mime: string, name: string): void {
  const url = URL.createObjectURL(new Blob([bytes], { type: mime }))
  const link = el("a", { href: url, download: name })
  link.click()
  // By then the browser has read the URL.
  setTimeout(() => URL.revokeObjectURL(url), 1_000)
}
