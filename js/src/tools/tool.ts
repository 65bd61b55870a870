/** What a tool is: something that takes pointer events in picture coordinates and changes the regions. */

import type { Layer } from "../document/pair"
import type { RegionStore } from "../document/store"
import type { IconName } from "../dom/icons"
import type { Mask } from "../geometry/mask"
import type { Point } from "../geometry/matrix"
import type { Size, Viewport } from "../geometry/viewport"
import type { Selecting } from "../model/selecting"

/** A pointer event in picture coordinates. */
export interface ToolEvent extends Point {
  readonly shift: boolean
  readonly alt: boolean
  /** Ctrl, or Cmd on a Mac. */
  readonly ctrl: boolean
  /** The right button, or the eraser end of a pen, which do the opposite. */
  readonly secondary: boolean
  /** 0 to 1 for a pen, 1 for everything else. */
  readonly pressure: number
}

/** What a tool works on. */
export interface ToolContext {
  readonly store: RegionStore
  readonly layer: Layer
  /** Diameter of the brush in picture pixels. */
  readonly brushSize: number
  readonly viewport: Viewport
  /** The drawing area in CSS pixels. */
  readonly area: Size
  /** Asks the kernel what would be selected. */
  readonly select: Pick<Selecting, "ask" | "isAsking">
  /** Whether dragging with the select tool draws a box. */
  readonly boxes: boolean
  /** By how much a colour may differ for the wand, and whether it takes only what hangs together. */
  readonly tolerance: number
  readonly contiguous: boolean
  /** Draws what would be selected, in CSS pixels. */
  outline(g: CanvasRenderingContext2D, mask: Mask): void
  /** Shows a short message in the status line. */
  notify(message: string): void
}

/** A tool. The canvas calls it with every event while it is in hand. */
export interface Tool {
  readonly id: string
  /** The accessible name. */
  readonly label: string
  readonly icon: IconName
  /** The letter that chooses it. */
  readonly key: string
  /** What to do with it, for the status line. */
  readonly hint: string
  /** A CSS cursor; `none` shows the brush instead. */
  readonly cursor: string
  /** Whether it is worked by single presses, as against one from press to release. */
  readonly taps?: boolean
  /** True where it moves regions and paints nothing. */
  readonly drags?: boolean
  /** True from the first press to the end of the gesture (a polygon's lasts over several presses). */
  readonly active: boolean
  /** A button goes down. */
  press(event: ToolEvent, context: ToolContext): void
  /** The pointer moves while a button is down; several events may come at once. */
  drag(events: readonly ToolEvent[], context: ToolContext): void
  /** The button goes up. */
  release(event: ToolEvent, context: ToolContext): void
  /** The gesture is called off. */
  cancel(context: ToolContext): void
  /** The tool is taken in hand. */
  taken?(context: ToolContext): void
  /** The pointer leaves the drawing area, or another tool is taken in hand. */
  leave?(context: ToolContext): void
  /** The pointer moves with no button down. */
  hover?(event: ToolEvent, context: ToolContext): void
  /** A double click. */
  doublePress?(event: ToolEvent, context: ToolContext): void
  /** A key that may be the tool's. Returns true if it was. */
  keyDown?(key: string, shift: boolean, context: ToolContext): boolean
  /** The cursor at this position, if it depends on the position. */
  cursorAt?(event: ToolEvent, context: ToolContext): string
  /** Whether a press here moves what lies under it, as the move tool does, instead of drawing. */
  grabs?(event: ToolEvent, context: ToolContext): boolean
  /** Draws the tool's own marks, in CSS pixels. */
  paint?(g: CanvasRenderingContext2D, context: ToolContext): void
}
