/** A pointer moved by the arrow keys: every tool works without a mouse. */
import type { Point } from "../geometry/matrix"
import { inView, toPicture } from "../geometry/viewport"
import type { WidgetModel } from "../model/widgetmodel"
import type { Tool, ToolContext, ToolEvent } from "../tools/tool"
import type { ViewState } from "./viewstate"

/** Which keys are held with Enter. */
export interface Held {
  readonly shift: boolean
  readonly alt: boolean
}

/** Presses, moves and releases for the tool in hand, as keys ask for them. */
export class KeyPointer {
  private acting: Tool | null = null
  private held: Held = { shift: false, alt: false }
  /** Where a tool that is worked by single presses was pressed last. */
  private pressed: Point | null = null

  constructor(
    private readonly state: ViewState,
    private readonly widget: WidgetModel,
    private readonly context: () => ToolContext,
    private readonly toolAt: (event: ToolEvent) => Tool,
  ) {}

  /** Shows the pointer; presses where it is, or releases what is pressed. */
  enter(held: Held): void {
    const { state } = this
    if (!this.widget.canDraw) return
    if (!state.keyAt) {
      const { area, store } = this.context()
      const { width, height } = store.regions
      const middle = toPicture(state.viewport, { x: area.width / 2, y: area.height / 2 })
      state.set({ keyAt: bounded(middle, width, height) })
      return this.say()
    }
    this.held = held
    const event = this.event(state.keyAt)
    if (this.acting) return this.release(event)
    const tool = this.toolAt(event)
    const again = this.pressed?.x === event.x && this.pressed.y === event.y
    if (tool.taps && again && tool.active) {
      this.pressed = null
      tool.press(event, this.context())
      return tool.doublePress?.(event, this.context())
    }
    tool.press(event, this.context())
    this.pressed = state.keyAt
    if (tool.taps) tool.release(event, this.context())
    else this.acting = tool
    if (this.acting) this.context().notify("Pressed: arrows draw, Enter lets go, Esc cancels")
  }

  /** Moves the pointer by pixels, or by as many pixels of the screen where the picture is shown smaller. */
  move(dx: number, dy: number): boolean {
    const { keyAt, viewport } = this.state
    if (!keyAt) return false
    const step = Math.max(1, Math.round(1 / viewport.scale))
    const { width, height } = this.context().store.regions
    const at = bounded({ x: keyAt.x + dx * step, y: keyAt.y + dy * step }, width, height)
    const seen = inView(viewport, this.context().area, 0)
    this.state.set({ keyAt: at })
    const event = this.event(at)
    this.acting?.drag([event], this.context())
    ;(this.acting ?? this.state.tool).hover?.(event, this.context())
    if (this.widget.store.ghost) this.widget.live.follow(performance.now())
    if (at.x < seen.x0 || at.y < seen.y0 || at.x > seen.x1 || at.y > seen.y1)
      this.context().notify("The pointer is out of view: 0 shows the whole picture")
    else this.say()
    return true
  }

  /** Calls off what is pressed, or hides the pointer. Returns false if there is neither. */
  end(): boolean {
    if (!this.state.keyAt) return false
    if (this.acting) this.acting.cancel(this.context())
    else this.state.set({ keyAt: null })
    this.acting = null
    return true
  }

  private release(event: ToolEvent): void {
    const { acting } = this
    this.acting = null
    acting?.release(event, this.context())
  }

  private event({ x, y }: Point): ToolEvent {
    return { x, y, ...this.held, ctrl: false, secondary: false, pressure: 1 }
  }

  private say(): void {
    const { x, y } = this.state.keyAt as Point
    this.context().notify(`Pointer at ${x}, ${y}`)
  }
}

function bounded({ x, y }: Point, width: number, height: number): Point {
  // The middle of an even size lies between two pixels: rounding errors must not decide which one is meant.
  const clamp = (v: number, size: number) => Math.min(size - 1, Math.max(0, Math.round(v + 1e-6)))
  return { x: clamp(x, width), y: clamp(y, height) }
}
