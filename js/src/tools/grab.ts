/** What was just drawn can be dragged from inside at once, with the drawing tool still in hand. */
import { selectedPair } from "../document/regions"
import { has, type Mask } from "../geometry/mask"
import type { Point } from "../geometry/matrix"
import type { ToolContext, ToolEvent } from "./tool"

const DIRECTIONS = 8

/**
 * Whether a press moves the active pair's region instead of drawing: it would only draw over what is drawn already, as
 * far as `radius` picture pixels around it. Shift draws all the same, and Alt and the right button erase.
 */
export function grabs(event: ToolEvent, context: ToolContext, radius = 0): boolean {
  if (context.layer !== "handle" || event.shift || event.alt || event.secondary) return false
  const pair = selectedPair(context.store.regions)
  if (!pair?.visible || pair.locked) return false
  const placed = pair.matrix !== null && pair.action !== "remove"
  return covers(pair.handle, event, radius) || (placed && covers(pair.target, event, radius))
}

function covers(mask: Mask, { x, y }: Point, radius: number): boolean {
  if (!has(mask, Math.round(x), Math.round(y))) return false
  for (let i = 0; radius >= 0.5 && i < DIRECTIONS; i++) {
    const angle = (2 * Math.PI * i) / DIRECTIONS
    if (!has(mask, Math.round(x + radius * Math.cos(angle)), Math.round(y + radius * Math.sin(angle))))
      return false
  }
  return true
}
