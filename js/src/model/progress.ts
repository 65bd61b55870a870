/** How far an edit has come, in words. */
import type { Progress } from "../kernel/messages"
import type { Pace } from "./pace"

/** Whether a run is under way. */
export function isBusy(progress: Progress): boolean {
  return progress.state === "running" || progress.state === "loading" || progress.state === "stopping"
}

/** The state in words, for the status line. */
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

/** The pace in words; the time left is said beside the step once there is one. */
export function paceInWords({ elapsed, left, share }: Pace, step: number): string {
  if (share === null) return elapsed < 1 ? "" : `${Math.floor(elapsed)} s so far`
  const percent = `${Math.round(100 * share)} %`
  return step > 0 || left === null ? percent : `${percent}, ${left < 1 ? "" : "about "}${duration(left)} left`
}

function duration(seconds: number): string {
  if (seconds < 1) return "under 1 s"
  if (seconds < 90) return `${Math.round(seconds)} s`
  return `${Math.round(seconds / 60)} min`
}
