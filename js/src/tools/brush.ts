/** Paints discs along the pointer's path; the right button erases. */

import type { Stroke } from "../document/store"
import type { IconName } from "../dom/icons"
import { type Dab, fillStroke } from "../geometry/raster"
import { grabs } from "./grab"
import { straight } from "./straight"
import type { Tool, ToolContext, ToolEvent } from "./tool"

/** The part of the brush's radius that must lie on what is drawn for a press to grab it. */
const GRAB = 0.6

/** The brush. */
export class Brush implements Tool {
  readonly id: string = "brush"
  readonly icon: IconName = "brush"
  readonly label: string = "Brush"
  readonly key: string = "b"
  readonly hint: string = "Paint the region. Right button or Alt erases, Shift draws a straight line"
  readonly cursor = "none"
  protected readonly erases: boolean = false
  private stroke: Stroke | null = null
  private value: 0 | 1 = 1
  private first: Dab | null = null
  private last: Dab | null = null

  get active(): boolean {
    return this.stroke !== null
  }

  press(event: ToolEvent, context: ToolContext): void {
    this.stroke = context.store.beginStroke(context.layer)
    if (!this.stroke) return
    const opposite = event.secondary || event.alt
    this.value = this.erases !== opposite ? 0 : 1
    this.first = dabOf(event, context)
    this.last = this.first
    this.extend([this.first])
    context.store.changed.emit()
  }

  drag(events: readonly ToolEvent[], context: ToolContext): void {
    if (!this.stroke || !this.first || !this.last) return
    // The kernel may have removed the pair in the meantime.
    if (context.store.stroke !== this.stroke) return this.forget()
    const dabs: Dab[] = [this.last]
    for (const event of events)
      dabs.push(event.shift ? straightDab(this.first, dabOf(event, context)) : dabOf(event, context))
    this.extend(dabs)
    this.last = dabs.at(-1) as Dab
    context.store.changed.emit()
  }

  release(_event: ToolEvent, context: ToolContext): void {
    const { stroke } = this
    this.forget() // before anybody hears of the end: hints say nothing while a tool is at work
    if (stroke && context.store.stroke === stroke) context.store.endStroke()
  }

  cancel(context: ToolContext): void {
    this.forget()
    context.store.cancelGesture()
  }

  grabs(event: ToolEvent, context: ToolContext): boolean {
    return !this.erases && grabs(event, context, (GRAB * context.brushSize) / 2)
  }

  private extend(dabs: readonly Dab[]): void {
    const stroke = this.stroke
    if (stroke) fillStroke(dabs, (y, a, b) => stroke.buffer.span(y, a, b, this.value))
  }

  private forget(): void {
    this.stroke = null
    this.first = null
    this.last = null
  }
}

function dabOf(event: ToolEvent, context: ToolContext): Dab {
  // A light touch of a pen gives a third of the brush's size, a firm one all of it.
  const firmness = 1 / 3 + (2 / 3) * event.pressure
  return { x: event.x, y: event.y, r: Math.max(0.5, (context.brushSize / 2) * firmness) }
}

function straightDab(from: Dab, to: Dab): Dab {
  return { ...straight(from, to), r: to.r }
}
