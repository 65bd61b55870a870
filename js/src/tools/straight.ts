/** Straight lines, as Shift makes them. */
import type { Point } from "../geometry/matrix"

/** The point nearest to `to` that lies from `from` in one of the eight main directions. */
export function straight(from: Point, to: Point): Point {
  const step = Math.PI / 4
  const angle = Math.round(Math.atan2(to.y - from.y, to.x - from.x) / step) * step
  const along = (to.x - from.x) * Math.cos(angle) + (to.y - from.y) * Math.sin(angle)
  return { x: from.x + along * Math.cos(angle), y: from.y + along * Math.sin(angle) }
}
