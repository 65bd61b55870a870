/** What belongs to one view alone: the tool in hand, the brush, where the eye is. Never saved. */

import type { Layer } from "../document/pair"
import { Signal } from "../document/signal"
import { fitIn, type Viewport } from "../geometry/viewport"
import { Brush } from "../tools/brush"
import { Ellipse } from "../tools/ellipse"
import { Eraser } from "../tools/eraser"
import { Lasso } from "../tools/lasso"
import { Move } from "../tools/move"
import { Polygon } from "../tools/polygon"
import { Rectangle } from "../tools/rectangle"
import type { Tool } from "../tools/tool"
import type { Compare } from "./base"

export const LARGEST_BRUSH = 512

export class ViewState {
  readonly changed = new Signal()
  readonly tools: readonly Tool[] = [
    new Brush(),
    new Eraser(),
    new Lasso(),
    new Polygon(),
    new Rectangle(),
    new Ellipse(),
    new Move(),
  ]
  tool: Tool = this.tools[0] as Tool
  layer: Layer = "handle"
  brushSize = 32
  /** Whether the drag is shown in pixels. */
  preview = true
  opacity = 0.45
  /** Held keys: the original instead of the result, no regions at all, the hand instead of the tool. */
  original = false
  bare = false
  hand = false
  compare: Compare = "off"
  split = 0.5
  viewport: Viewport = fitIn({ width: 1, height: 1 }, { width: 1, height: 1 })
  settingsOpen = false
  helpOpen = false
  /** Whether the read-out of drafts is on show. */
  readout = false

  set(fields: Partial<Omit<ViewState, "changed" | "tools">>): void {
    Object.assign(this, fields)
    this.changed.emit()
  }

  byId(id: string): Tool {
    return this.tools.find((tool) => tool.id === id) ?? this.tool
  }

  resizeBrush(size: number): void {
    this.set({ brushSize: Math.round(Math.min(LARGEST_BRUSH, Math.max(1, size))) })
  }
}
