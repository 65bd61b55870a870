/** The drawer of settings, made from the table of settings: one control per entry. */

import type { ViewState } from "../canvas/viewstate"
import { onChange } from "../document/signal"
import { button, el, listen, setText } from "../dom/elements"
import { randomSeed, type Settings, SPECS } from "../model/settings"
import type { SettingChoice, SettingSpec, SettingValue } from "../model/settingspec"
import type { WidgetModel } from "../model/widgetmodel"

type Spec = (typeof SPECS)[number]

/** A control, and how to bring it up to date with the settings. */
interface Control {
  readonly element: HTMLElement
  /** Stands beside the name. */
  readonly aside?: HTMLElement
  refresh(value: SettingValue): void
}

/** Stands for a value that the model decides on and that is not known before it is loaded. */
const UNKNOWN = "automatic"

/** The drawer of one view. */
export function settingsDrawer(widget: WidgetModel, state: ViewState, signal: AbortSignal): HTMLElement {
  const { settings } = widget
  const controls = SPECS.map((spec) => {
    const set = (value: SettingValue) => settings.change({ [spec.name]: value } as Partial<Settings>)
    const choices = () => spec.choices ?? settings.models.map((name) => ({ value: name, label: name }))
    return { spec, control: controlFor(spec, choices, set, signal) }
  })
  const drawer = el(
    "aside",
    { class: "rd-drawer", "aria-label": "Settings of the edit", hidden: true },
    el(
      "header",
      { class: "rd-side-head" },
      el("h3", {}, "Settings"),
      button({
        text: "Reset",
        kind: "quiet",
        title: "Back to the defaults",
        signal,
        act: () => settings.reset(),
      }),
      button({
        label: "Close",
        icon: "cross",
        kind: "quiet",
        title: "Close (Esc)",
        signal,
        act: () => state.set({ settingsOpen: false }),
      }),
    ),
    ...controls.map(({ spec, control }) => field(spec, control)),
  )
  const update = () => {
    drawer.hidden = !state.settingsOpen
    for (const { spec, control } of controls) control.refresh(settings.current[spec.name])
  }
  onChange([widget, state], update, signal)
  update()
  return drawer
}

function field(spec: Spec, { element, aside }: Control): HTMLElement {
  return el(
    "label",
    { class: "rd-field" },
    el("span", { class: "rd-field-name" }, spec.label, aside),
    element,
    el("small", {}, spec.help),
  )
}

function controlFor(
  spec: Spec,
  choices: () => readonly SettingChoice[],
  set: (value: SettingValue) => void,
  signal: AbortSignal,
): Control {
  switch (spec.type) {
    case "text":
      return textControl(spec, set, signal)
    case "integer":
      return integerControl(spec, set, signal)
    case "number":
      return sliderControl(spec, set, signal)
    case "flag":
      return choiceControl(
        spec,
        () => [
          { value: true, label: "On" },
          { value: false, label: "Off" },
        ],
        set,
        signal,
      )
    case "choice":
      return choiceControl(spec, choices, set, signal)
  }
}

function textControl({ label, max }: Spec, set: (value: string) => void, signal: AbortSignal): Control {
  const element = el("textarea", {
    rows: 2,
    "aria-label": label,
    placeholder: "Optional",
    maxlength: max,
  })
  listen(element, "input", () => set(element.value), signal)
  return { element, refresh: (value) => write(element, String(value ?? "")) }
}

function integerControl(spec: Spec, set: (value: number | null) => void, signal: AbortSignal): Control {
  const { name, label, step = 1, min = 0, max = Number.MAX_SAFE_INTEGER } = spec
  const optional = spec.default === null
  const placeholder = optional ? UNKNOWN : null
  const input = el("input", { type: "number", min, max, step, "aria-label": label, placeholder })
  const typed = () => Math.round(Math.min(max, Math.max(min, Number(input.value) || 0)))
  listen(input, "change", () => set(optional && input.value === "" ? null : typed()), signal)
  const refresh = (value: SettingValue) => write(input, String(value ?? ""))
  if (name !== "seed") return { element: input, refresh }
  const dice = button({ label: "Random seed", icon: "dice", signal, act: () => set(randomSeed()) })
  return { element: el("div", { class: "rd-row" }, input, dice), refresh }
}

function sliderControl(spec: Spec, set: (value: number) => void, signal: AbortSignal): Control {
  const { label, min, max, step } = spec
  const element = el("input", { type: "range", min, max, step, class: "rd-range", "aria-label": label })
  listen(element, "input", () => set(Number(element.value)), signal)
  const aside = el("span", { class: "rd-number", "aria-hidden": "true" })
  const refresh = (value: SettingValue) => {
    // A slider that was never set stands in the middle, which would look like a value.
    write(element, String(value ?? min), true)
    setText(aside, value === null ? UNKNOWN : Number(value).toFixed(2))
  }
  return { element, aside, refresh }
}

function choiceControl(
  { label }: SettingSpec,
  choices: () => readonly SettingChoice[],
  set: (value: SettingValue) => void,
  signal: AbortSignal,
): Control {
  const element = el("select", { "aria-label": label })
  let listed = ""
  // An option's value is a text, so values that are not are stood for by their words.
  const textOf = ({ value, label }: SettingChoice) => (typeof value === "string" ? value : label)
  const chosen = () => choices().find((choice) => textOf(choice) === element.value)
  listen(element, "change", () => set(chosen()?.value ?? null), signal)
  const refresh = (value: SettingValue) => {
    const key = JSON.stringify(choices())
    if (key !== listed) {
      listed = key
      element.replaceChildren(...choices().map((c) => el("option", { value: textOf(c) }, c.label)))
    }
    const choice = choices().find((c) => c.value === value)
    write(element, choice ? textOf(choice) : String(value))
  }
  return { element, refresh }
}

/** Sets a control's value, but never while someone is typing in it. */
function write(
  control: HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement,
  value: string,
  evenFocused = false,
): void {
  if (control.value === value) return
  if (!evenFocused && document.activeElement === control && !control.matches("select")) return
  control.value = value
}
