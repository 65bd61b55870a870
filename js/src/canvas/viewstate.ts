/** What each view has of its own: the tool in hand, the brush, the viewport. Never saved. */

import type { Layer } from "../document/pair"
import { Signal } from "../document/signal"
import type { Point } from "../geometry/matrix"
import { fitIn, type Viewport } from "../geometry/viewport"
import type { Tool } from "../tools/tool"
import { newTools } from "../tools/toolbox"
import type { Compare } from "./base"

/** The largest diameter of the brush, in picture pixels. */
export const LARGEST_BRUSH = 512

/** The state of one view. */
export class ViewState {
  readonly changed = new Signal()
  readonly tools = newTools()
  /** The tool in hand. */
  tool: Tool = this.tools[0]
  /** What is painted. */
  layer: Layer = "handle"
  /** Diameter of the brush in picture pixels. */
  brushSize = 32
  /** Whether dragging with the select tool draws a box. */
  boxes = false
  /** By how much a channel of a colour may differ for the wand, and whether it takes only what hangs together. */
  tolerance = 32
  contiguous = true
  /** Whether the drag preview is shown. */
  dragPreview = true
  /** 0 to 1: how strongly regions are tinted. */
  opacity = 0.3
  /** Set while a key is held: show the original, hide all regions, pan with the hand. */
  original = false
  bare = false
  hand = false
  compare: Compare = "off"
  /** Where the divider between original and result is, 0 to 1 of the width. */
  split = 0.5
  /** Where the pointer that keys move is in the picture; null while it is not used. */
  keyAt: Point | null = null
  /** Height of the drawing area in CSS pixels, as dragged; null for automatic. */
  height: number | null = null
  viewport: Viewport = fitIn({ width: 1, height: 1 }, { width: 1, height: 1 })
  settingsOpen = false
  helpOpen = false
  /** Whether the measurements are shown. */
  readout = false

  /** Changes some fields. */
  set(fields: Partial<Omit<ViewState, "changed" | "tools">>): void {
    Object.assign(this, fields)
    this.changed.emit()
  }

  /** The tool with this identifier; the one in hand if there is none. */
  byId(id: string): Tool {
    return this.tools.find((tool) => tool.id === id) ?? this.tool
  }

  /** Sets the diameter of the brush, within its limits. */
  resizeBrush(size: number): void {
    this.set({ brushSize: Math.round(Math.min(LARGEST_BRUSH, Math.max(1, size))) })
  }
}
