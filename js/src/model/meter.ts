/** How quick drafts are: what the kernel says of itself, what this page sees, and marks for benchmarks. */

/** The kernel's own words, from a `measured` message. */
export interface Measured {
  /** Milliseconds a draft takes in the kernel; null before the first. */
  readonly draftMs: number | null
  /** Whether drafts are quick enough here to be asked for unless the person says otherwise. */
  readonly live: boolean
  readonly device: string
  readonly dtype: string
  /** Bytes of the session cache, used and allowed; null where the kernel does not say. */
  readonly memory: number | null
  readonly budget: number | null
  readonly note: string
}

export function measuredFrom(message: Record<string, unknown>): Measured {
  const number = (key: string) => {
    const value = message[key]
    return typeof value === "number" && Number.isFinite(value) ? value : null
  }
  const text = (key: string) => (typeof message[key] === "string" ? (message[key] as string) : "")
  return {
    draftMs: number("draft_ms"),
    live: message.live === true,
    device: text("device"),
    dtype: text("dtype"),
    memory: number("memory"),
    budget: number("budget"),
    note: text("note"),
  }
}

/** Drafts the page has painted: how long after the pointer, how many a second. Times in milliseconds. */
export class Meter {
  private readonly lags: number[] = []
  private times: number[] = []

  add(lag: number, now: number): void {
    this.lags.push(lag)
    if (this.lags.length > 15) this.lags.shift()
    this.times = [...this.times.filter((t) => now - t < 2_000), now]
  }

  /** The median from pointer to screen over the newest drafts; null before the first. */
  get lag(): number | null {
    const sorted = [...this.lags].sort((a, b) => a - b)
    return sorted[sorted.length >> 1] ?? null
  }

  /** Drafts a second while they came in; 0 once none has come for two seconds. */
  rate(now: number): number {
    const recent = this.times.filter((t) => now - t < 2_000)
    const first = recent[0]
    const last = recent.at(-1)
    if (first === undefined || last === undefined || last === first) return recent.length / 2
    return ((recent.length - 1) * 1_000) / (last - first)
  }
}

/** What the read-out says: a line a fact, those that are not known left out. */
export function readout(measured: Measured | null, meter: Meter, now: number): string[] {
  const { lag } = meter
  const rate = meter.rate(now)
  const quick = [
    lag === null ? "" : `${Math.round(lag)} ms to screen`,
    rate === 0 ? "" : `${rate.toFixed(rate < 10 ? 1 : 0)} frames/s`,
  ]
  const { draftMs = null, device = "", dtype = "", memory = null, budget = null, note = "" } = measured ?? {}
  const kernel = [draftMs === null ? "" : `${Math.round(draftMs)} ms a draft`, device, dtype]
  const cache =
    memory === null ? "" : `${megabytes(memory)}${budget === null ? "" : ` of ${megabytes(budget)}`}`
  const lines = [joined(quick), joined(kernel), cache && `Cache ${cache}`, note]
  return lines.some(Boolean) ? lines.filter(Boolean) : ["Nothing measured yet"]
}

function joined(words: string[]): string {
  return words.filter(Boolean).join(" · ")
}

function megabytes(bytes: number): string {
  const mb = bytes / 2 ** 20
  return mb < 10_000 ? `${mb < 10 ? mb.toFixed(1) : Math.round(mb)} MB` : `${(mb / 1024).toFixed(1)} GB`
}

const KEPT = 400
const marked = new Map<string, number>()

/** From the pointer's event to its draft on the screen; the script time of the own preview for one event. */
type Mark = "regiondrag.draft" | "regiondrag.preview"

/** A span on the browser's timeline, read by benchmarks; a long session keeps the newest few hundred. */
export function mark(name: Mark, start: number, end: number, detail?: Record<string, unknown>): void {
  const count = (marked.get(name) ?? 0) + 1
  if (count > KEPT) performance.clearMeasures(name)
  marked.set(name, count > KEPT ? 1 : count)
  performance.measure(name, { start, end, detail })
}
