/** The drawer of settings: what an edit is told besides its regions. */
import type { Session } from "../session"
import type { Settings } from "../settings"
import type { ViewState } from "../viewstate"
import { button, el, setText } from "./dom"

const LIVE: Readonly<Record<string, boolean | null>> = { Automatic: null, On: true, Off: false }

export function settingsDrawer(session: Session, state: ViewState, signal: AbortSignal): HTMLElement {
  const refresh: (() => void)[] = []

  const field = (label: string, hint: string, control: HTMLElement, extra?: HTMLElement) =>
    el(
      "label",
      { class: "rd-field" },
      el("span", { class: "rd-field-name" }, label, extra ?? null),
      control,
      el("small", {}, hint),
    )

  const number = (
    key: "seed" | "steps",
    label: string,
    hint: string,
    min: number,
    max: number,
    extra?: HTMLElement,
  ) => {
    const input = el("input", { type: "number", min, max, step: 1, "aria-label": label })
    input.addEventListener(
      "change",
      () => {
        const value = Math.round(Math.min(max, Math.max(min, Number(input.value) || 0)))
        session.change({ [key]: value })
      },
      { signal },
    )
    refresh.push(() => write(input, String(session.settings[key])))
    return field(label, hint, extra ? el("div", { class: "rd-row" }, input, extra) : input)
  }

  const fraction = (key: "start" | "stop", label: string, hint: string, min: number) => {
    const input = el("input", {
      type: "range",
      min,
      max: 1,
      step: 0.05,
      class: "rd-range",
      "aria-label": label,
    })
    const shown = el("span", { class: "rd-number", "aria-hidden": "true" })
    input.addEventListener(
      "input",
      () => session.change(ordered(session.settings, key, Number(input.value))),
      { signal },
    )
    refresh.push(() => {
      write(input, String(session.settings[key]), true)
      setText(shown, session.settings[key].toFixed(2))
    })
    return field(label, hint, input, shown)
  }

  const choice = (
    key: "vacated" | "matte" | "model",
    label: string,
    hint: string,
    options: () => [string, string][],
  ) => {
    const select = el("select", { "aria-label": label })
    let before = ""
    select.addEventListener("change", () => session.change({ [key]: select.value } as Partial<Settings>), {
      signal,
    })
    refresh.push(() => {
      const list = options()
      const key2 = JSON.stringify(list)
      if (key2 !== before) {
        before = key2
        select.replaceChildren(...list.map(([value, words]) => el("option", { value }, words)))
      }
      write(select, session.settings[key])
    })
    return field(label, hint, select)
  }

  const prompt = el("textarea", {
    rows: 2,
    "aria-label": "Prompt",
    placeholder: "Optional: what the picture shows",
    maxlength: 2000,
  })
  prompt.addEventListener("input", () => session.change({ prompt: prompt.value }), { signal })
  refresh.push(() => write(prompt, session.settings.prompt))

  const live = el(
    "select",
    { "aria-label": "Live" },
    ...Object.keys(LIVE).map((words) => el("option", { value: words }, words)),
  )
  live.addEventListener("change", () => session.change({ live: LIVE[live.value] ?? null }), { signal })
  refresh.push(() => {
    const chosen = Object.entries(LIVE).find(([, value]) => value === session.settings.live)
    write(live, chosen?.[0] ?? "")
  })

  const dice = button({
    label: "Random seed",
    icon: "dice",
    signal,
    act: () => session.change({ seed: randomSeed() }),
  })
  const drawer = el(
    "aside",
    { class: "rd-drawer", "aria-label": "Settings of the edit", hidden: true },
    el(
      "header",
      { class: "rd-side-head" },
      el("h3", {}, "Settings"),
      button({
        label: "Reset",
        text: "Reset",
        kind: "quiet",
        title: "Back to the defaults",
        signal,
        act: () => session.reset(),
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
    field("Prompt", "Words help models that read them", prompt),
    number("seed", "Seed", "The same seed gives the same result", 0, 2 ** 31 - 1, dice),
    number("steps", "Steps", "More is finer and slower", 1, 200),
    fraction("start", "Start", "How much noise the edit begins with: more is freer", 0.05),
    fraction("stop", "Stop", "Below this, the content is no longer pasted", 0),
    choice("vacated", "Vacated place", "What comes where the handle was", () => [
      ["fill", "Fill in the background"],
      ["noise", "Let the model invent"],
      ["keep", "Keep it: a copy, not a move"],
    ]),
    choice("matte", "Rim of the handle", "Whether the background carried along is told apart", () => [
      ["auto", "Cut the object out"],
      ["none", "Carry all that is painted"],
    ]),
    choice("model", "Model", "Which diffusion model edits", () => session.models.map((m) => [m, m])),
    field("Live", "Edits follow the pointer; automatic: where a draft takes under 250 ms", live),
  )
  const update = () => {
    drawer.hidden = !state.settingsOpen
    for (const one of refresh) one()
  }
  session.changed.on(update, signal)
  state.changed.on(update, signal)
  update()
  return drawer
}

export function randomSeed(): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) % 1_000_000
}

/** Start is never below stop: the one that is moved takes the other along. */
function ordered(settings: Settings, key: "start" | "stop", value: number): Partial<Settings> {
  if (key === "start") return { start: value, stop: Math.min(settings.stop, value) }
  return { stop: value, start: Math.max(settings.start, value) }
}

/** Sets a control's value, but never under the hands of who is typing in it. */
function write(
  control: HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement,
  value: string,
  evenFocused = false,
): void {
  if (control.value === value) return
  if (!evenFocused && document.activeElement === control && !control.matches("select")) return
  control.value = value
}
