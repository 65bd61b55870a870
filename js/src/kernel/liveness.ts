/** Whether a kernel answers: a pure judgement of what was heard and when. Times in milliseconds. */
export type Liveness = "waiting" | "live" | "busy" | "gone" | "readonly"

export interface Heard {
  /** When the widget was opened. */
  readonly opened: number
  /** When the first question of the present silence was asked; null while none is open. */
  readonly asked: number | null
  /** When the kernel was last heard; null never. */
  readonly last: number | null
  /** The host said that the connection was lost or made anew. */
  readonly suspicious: boolean
  /** What the host says of the kernel, where it says anything. */
  readonly kernelStatus: string | null
}

export const HELLO_LIMIT = 4_000
export const PONG_LIMIT = 10_000
export const SILENCE_LIMIT = 30_000

const DEAD = new Set(["dead", "restarting", "autorestarting", "terminating"])

export function judge(heard: Heard, now: number): Liveness {
  if (heard.last === null) {
    if (now - heard.opened < HELLO_LIMIT) return "waiting"
    return heard.kernelStatus === "busy" ? "busy" : "readonly"
  }
  if (heard.kernelStatus && DEAD.has(heard.kernelStatus)) return "gone"
  const silence = heard.asked === null ? 0 : now - heard.asked
  if (silence < PONG_LIMIT) return "live"
  if (heard.kernelStatus === "busy") return "busy"
  if (heard.suspicious || heard.kernelStatus === "idle") return "gone"
  return silence < SILENCE_LIMIT ? "busy" : "gone"
}

/** The kernel's state as JupyterLab's widget manager knows it; null where the host does not say. */
export function kernelStatusOf(manager: unknown): string | null {
  try {
    const status = (manager as { kernel?: { status?: unknown } } | undefined)?.kernel?.status
    return typeof status === "string" && status !== "unknown" ? status : null
  } catch {
    return null
  }
}
