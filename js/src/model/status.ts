/** The session in words: what hinders an edit, and how things stand. */
import { completePairs } from "../document/regions"
import { inWords } from "./settings"
import type { Session } from "./widgetmodel"

const READ_ONLY = "No kernel: read only"
const GONE = "Kernel gone: run the cell again"

/** Why nothing can be edited, whatever is drawn; empty when it can. */
export function unready({ picture, liveness }: Session): string {
  if (liveness === "readonly") return READ_ONLY
  if (liveness === "gone") return GONE
  return picture ? "" : "Open a picture first"
}

/** Why an edit cannot be run; empty when it can. */
export function obstacleTo(session: Session): string {
  if (unready(session)) return unready(session)
  const drawn = completePairs(session.store.regions).length > 0
  return drawn ? "" : "Paint what should move, then drag it to its place"
}

export function statusOf({ liveness, busy, show, resultInfo, progress }: Session): string {
  if (liveness === "readonly") return READ_ONLY
  if (liveness === "gone") return GONE
  if (liveness === "busy" && !busy) return "Kernel busy: it will answer when its cell has ended"
  if (show === "result" && resultInfo && !busy) {
    const { seed, seconds } = resultInfo
    return `Result: seed ${seed}${seconds ? `, ${seconds.toFixed(1)} s` : ""}`
  }
  return inWords(progress)
}
