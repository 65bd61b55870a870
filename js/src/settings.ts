/** The settings of an edit, and the words of its states. */
export interface Settings {
  readonly prompt: string
  readonly seed: number
  readonly steps: number
  readonly start: number
  readonly stop: number
  readonly vacated: "fill" | "noise" | "keep"
  readonly model: string
  readonly matte: "auto" | "none"
  /** Whether edits follow the pointer; null leaves it to the kernel's measurements. */
  readonly live: boolean | null
}

const FALLBACK: Settings = {
  prompt: "",
  seed: 0,
  steps: 20,
  start: 0.5,
  stop: 0.2,
  vacated: "fill",
  model: "mini",
  matte: "auto",
  live: null,
}

/** Settings out of traits: each field that has the wrong type keeps the value of `otherwise`. */
export function settingsFrom(value: Record<string, unknown>, otherwise: Settings = FALLBACK): Settings {
  const merged = { ...otherwise } as Record<string, unknown>
  for (const [key, known] of Object.entries(otherwise)) {
    const given = value[key]
    if (key === "live") {
      if (given === null || typeof given === "boolean") merged[key] = given
    } else if (typeof given === typeof known && (typeof given !== "number" || Number.isFinite(given)))
      merged[key] = given
  }
  return merged as unknown as Settings
}

export type EditState = "empty" | "ready" | "loading" | "running" | "stopping" | "done" | "error"

export interface Progress {
  readonly state: EditState
  readonly message: string
  readonly step: number
  readonly total: number
  readonly eta: number | null
  readonly run: number
}

const STATES: readonly string[] = ["empty", "ready", "loading", "running", "stopping", "done", "error"]

export function progressFrom(value: Record<string, unknown>): Progress {
  const number = (key: string) => (typeof value[key] === "number" ? (value[key] as number) : 0)
  return {
    state: STATES.includes(String(value.state)) ? (value.state as EditState) : "ready",
    message: typeof value.message === "string" ? value.message : "",
    step: number("step"),
    total: number("total"),
    eta: typeof value.eta === "number" ? value.eta : null,
    run: number("run"),
  }
}

export function isBusy(progress: Progress): boolean {
  return progress.state === "running" || progress.state === "loading" || progress.state === "stopping"
}

/** The state in words, for the status region. */
export function inWords(progress: Progress): string {
  const { state, step, total, eta, message } = progress
  if (state === "running" && total > 0 && step > 0) {
    return `Step ${step} of ${total}${eta === null ? "" : `, ${duration(eta)} left`}`
  }
  if (message) return message
  switch (state) {
    case "empty":
      return "Open a picture to begin"
    case "loading":
      return "Loading the model"
    case "running":
      return "Starting"
    case "stopping":
      return "Stopping after this step"
    case "done":
      return "Done"
    case "error":
      return "The edit failed"
    default:
      return "Ready"
  }
}

export function duration(seconds: number): string {
  if (seconds < 1) return "under 1 s"
  if (seconds < 90) return `${Math.round(seconds)} s`
  return `${Math.round(seconds / 60)} min`
}
