/** How fast drafts are: what the kernel measures, and what this page sees. */
import type { KernelMessage } from "../kernel/messages"

/** The kernel's measurements. */
export type Measured = KernelMessage<"measured">

/** Drafts that the page has painted: how long after the pointer, how many a second. Times in milliseconds. */
export class Meter {
  private readonly lags: number[] = []
  private times: number[] = []

  /** Adds a draft painted `now`, `lag` after the pointer's event. */
  add(lag: number, now: number): void {
    this.lags.push(lag)
    if (this.lags.length > 15) this.lags.shift()
    this.times = [...this.times.filter((t) => now - t < 2_000), now]
  }

  /** The median time from pointer to screen over the newest drafts; null before the first. */
  get lag(): number | null {
    const sorted = [...this.lags].sort((a, b) => a - b)
    return sorted[sorted.length >> 1] ?? null
  }

  /** Drafts a second over the last two seconds; 0 if there were none. */
  rate(now: number): number {
    const recent = this.times.filter((t) => now - t < 2_000)
    const first = recent[0]
    const last = recent.at(-1)
    if (first === undefined || last === undefined || last === first) return recent.length / 2
    return ((recent.length - 1) * 1_000) / (last - first)
  }
}

/** The measurements in words, one line each; unknown ones are left out. */
export function measurements(measured: Measured | null, meter: Meter, now: number): string[] {
  const { lag } = meter
  const rate = meter.rate(now)
  const page = [
    lag === null ? "" : `${Math.round(lag)} ms to screen`,
    rate === 0 ? "" : `${rate.toFixed(rate < 10 ? 1 : 0)} frames/s`,
  ]
  const { draft_ms = null, device = "", dtype = "", memory = null, budget = null, note = "" } = measured ?? {}
  const kernel = [draft_ms === null ? "" : `${Math.round(draft_ms)} ms a draft`, device, dtype]
  // Before anything is prepared nothing is kept.
  const cache = memory ? `${megabytes(memory)}${budget === null ? "" : ` of ${megabytes(budget)}`}` : ""
  const lines = [joined(page), joined(kernel), cache && `Cache ${cache}`, note]
  return lines.some(Boolean) ? lines.filter(Boolean) : ["Nothing measured yet"]
}

function joined(words: string[]): string {
  return words.filter(Boolean).join(" · ")
}

function megabytes(bytes: number): string {
  const mb = bytes / 2 ** 20
  return mb < 10_000 ? `${mb < 10 ? mb.toFixed(1) : Math.round(mb)} MB` : `${(mb / 1024).toFixed(1)} GB`
}
