/** Elements by hand: text is only ever text, never markup. */
import { type IconName, icon } from "./icons"

export type Child = Node | string | null | undefined | false

type Attributes = Record<string, string | number | boolean | null | undefined>

const FOCUSABLE = new Set<string>(["button", "input", "select", "textarea"])

/** `el("button", { class: "rd-button", "aria-label": "Run" }, "Run")`; null and false attributes are left out. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag)
  // Lumino looks at the focused element itself before its ancestors: without this a notebook takes its keys.
  if (FOCUSABLE.has(tag) || "tabindex" in attributes) node.setAttribute("data-lm-suppress-shortcuts", "true")
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue
    node.setAttribute(name, value === true ? "" : String(value))
  }
  node.append(...children.filter((c): c is Node | string => Boolean(c)))
  return node
}

export interface ButtonOptions {
  /** The accessible name. */
  readonly label: string
  readonly title?: string
  readonly icon?: IconName
  readonly text?: string
  readonly kind?: "primary" | "quiet"
  readonly signal: AbortSignal
  readonly act: () => void
}

export function button(options: ButtonOptions): HTMLButtonElement {
  const { label, title, text, kind } = options
  const named = text === label ? null : label
  const node = el(
    "button",
    {
      type: "button",
      class: `rd-button${kind ? ` rd-${kind}` : ""}`,
      "aria-label": named,
      title: title ?? label,
    },
    options.icon && icon(options.icon),
    text && el("span", {}, text),
  )
  node.addEventListener("click", () => options.act(), { signal: options.signal })
  return node
}

/** Makes everything beside a dialog's veil unreachable while it is open. */
export function setModal(veil: HTMLElement, open: boolean): void {
  for (const sibling of veil.parentElement?.children ?? []) {
    if (sibling !== veil && sibling instanceof HTMLElement) sibling.inert = open
  }
}

/** Writes text only where it differs, so that a live region speaks once. */
export function setText(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text
}

export function setPressed(button: HTMLElement, pressed: boolean): void {
  button.setAttribute("aria-pressed", String(pressed))
}

/** Greys a button out but lets it be found and read; `why` becomes its tooltip. */
export function setEnabled(button: HTMLButtonElement, enabled: boolean): void {
  if (button.disabled === enabled) button.disabled = !enabled
}

export function download(bytes: Uint8Array<ArrayBuffer>, mime: string, name: string): void {
  const url = URL.createObjectURL(new Blob([bytes], { type: mime }))
  const link = el("a", { href: url, download: name })
  link.click()
  // The browser has taken the address by the next turn of its loop.
  setTimeout(() => URL.revokeObjectURL(url), 1_000)
}
