/** Spans on the browser's timeline, which benchmarks read. */

const KEPT = 400
const counts = new Map<string, number>()

/** From the pointer's event to its draft on the screen, or the script time of the drag preview for one event. */
type Mark = "regiondrag.draft" | "regiondrag.preview"

/** Marks a span; a long session keeps the newest few hundred. */
export function mark(name: Mark, start: number, end: number, detail?: Record<string, unknown>): void {
  const count = (counts.get(name) ?? 0) + 1
  if (count > KEPT) performance.clearMeasures(name)
  counts.set(name, count > KEPT ? 1 : count)
  performance.measure(name, { start, end, detail })
}
