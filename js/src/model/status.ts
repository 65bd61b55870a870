/** What stands in the way of an edit, and the state of things, in words. */
import { completePairs, type Regions } from "../document/regions"
import { isEmpty } from "../geometry/mask"
import type { Liveness } from "../kernel/liveness"
import type { Progress, ResultInfo } from "../kernel/messages"
import { inWords, isBusy } from "./progress"

const READ_ONLY = "No kernel: read only"
const GONE = "Kernel gone: run the cell again"

/** Why nothing can be edited, whatever is drawn; empty if it can. */
export function notReady(liveness: Liveness, picture: object | null): string {
  if (liveness === "readonly") return READ_ONLY
  if (liveness === "gone") return GONE
  return picture ? "" : "Open a picture first"
}

/** Why an edit cannot be run; empty if it can. */
export function obstacleTo(liveness: Liveness, picture: object | null, regions: Regions): string {
  const why = notReady(liveness, picture)
  if (why || completePairs(regions).length > 0) return why
  const marked = regions.pairs.some(({ handle }) => !isEmpty(handle))
  return marked ? "Drag what is marked to its place" : "Mark what should move, then drag it to its place"
}

/** The state in words; `result` is the result on the screen, if there is one. */
export function statusOf(liveness: Liveness, progress: Progress, result: ResultInfo | null): string {
  const busy = isBusy(progress)
  if (liveness === "readonly") return READ_ONLY
  if (liveness === "gone") return GONE
  if (liveness === "busy" && !busy) return "Kernel busy: it answers when its cell has finished"
  if (result && !busy) {
    const { seed, seconds } = result
    return `Result: seed ${seed}${seconds ? `, ${seconds.toFixed(1)} s` : ""}`
  }
  // The end of a run is no news once its result is off the screen.
  if (progress.state === "done") return inWords({ ...progress, state: "ready", message: "" })
  return inWords(progress)
}
