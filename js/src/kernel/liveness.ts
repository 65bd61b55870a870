/** Whether a kernel answers, judged from what was heard and when. Times in milliseconds. */

/**
 * `waiting` for the first answer, `live`, `busy` with something else, `gone` since it once answered, or `readonly`
 * because no kernel ever answered.
 */
export type Liveness = "waiting" | "live" | "busy" | "gone" | "readonly"

/** What is known about the kernel. */
export interface Heard {
  /** When the widget was opened. */
  readonly opened: number
  /** When the first ping without an answer was sent; null if all were answered. */
  readonly asked: number | null
  /** When the kernel was last heard; null for never. */
  readonly last: number | null
  /** Whether the host said that the connection was lost or made again. */
  readonly suspicious: boolean
  /** The kernel's status by the host, if it tells one. */
  readonly kernelStatus: string | null
  /** Whether the kernel has ended or begun anew since it was last heard: it knows nothing of the widget then. */
  readonly ended: boolean
}

/** How long the first answer may take. */
export const HELLO_LIMIT = 4_000
/** How long an answer to a ping may take. */
export const PONG_LIMIT = 10_000
/** How long a kernel that says nothing may still be thought busy. */
export const SILENCE_LIMIT = 30_000

const DEAD = new Set(["dead", "restarting", "autorestarting", "terminating"])

/** Whether a kernel of this status has ended, or begins anew. */
export function isDead(status: string | null): boolean {
  return status !== null && DEAD.has(status)
}

/** Judges whether the kernel is there. */
export function judge(heard: Heard, now: number): Liveness {
  if (heard.last === null) {
    if (now - heard.opened < HELLO_LIMIT) return "waiting"
    return heard.kernelStatus === "busy" ? "busy" : "readonly"
  }
  if (heard.ended || isDead(heard.kernelStatus)) return "gone"
  const silence = heard.asked === null ? 0 : now - heard.asked
  if (silence < PONG_LIMIT) return "live"
  if (heard.kernelStatus === "busy") return "busy"
  if (heard.suspicious || heard.kernelStatus === "idle") return "gone"
  return silence < SILENCE_LIMIT ? "busy" : "gone"
}

/** The kernel's state as JupyterLab's widget manager knows it; null in hosts that do not tell. */
export function kernelStatusOf(manager: unknown): string | null {
  try {
    const status = (manager as { kernel?: { status?: unknown } } | undefined)?.kernel?.status
    return typeof status === "string" && status !== "unknown" ? status : null
  } catch {
    return null
  }
}
