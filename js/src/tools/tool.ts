/** What a tool is: a small machine fed with pointer events in picture coordinates. */

import type { Layer } from "../document/regions"
import type { RegionStore } from "../document/store"
import type { Point } from "../geometry/matrix"
import type { Viewport } from "../geometry/viewport"

export interface ToolEvent extends Point {
  readonly shift: boolean
  readonly alt: boolean
  /** The right button, or the eraser end of a pen: does the opposite. */
  readonly secondary: boolean
  /** 0 to 1 for a pen, 1 for everything else. */
  readonly pressure: number
}

export interface ToolContext {
  readonly store: RegionStore
  readonly layer: Layer
  /** Diameter of the brush in picture pixels. */
  readonly brushSize: number
  readonly viewport: Viewport
  /** A short word to the user, for the status region. */
  tell(message: string): void
}

export interface Tool {
  readonly id: string
  /** The accessible name. */
  readonly label: string
  readonly key: string
  readonly hint: string
  readonly cursor: string
  /** True from the first press to the end of the gesture (a polygon's lasts over several presses). */
  readonly active: boolean
  press(event: ToolEvent, context: ToolContext): void
  drag(events: readonly ToolEvent[], context: ToolContext): void
  release(event: ToolEvent, context: ToolContext): void
  cancel(context: ToolContext): void
  hover?(event: ToolEvent, context: ToolContext): void
  doublePress?(event: ToolEvent, context: ToolContext): void
  /** Returns true when the key was the tool's. */
  keyDown?(key: string, shift: boolean, context: ToolContext): boolean
  /** The cursor for the place hovered, where it depends on the place. */
  cursorAt?(event: ToolEvent, context: ToolContext): string
  /** Draws the tool's own marks, in CSS pixels. */
  paint?(g: CanvasRenderingContext2D, context: ToolContext): void
}
