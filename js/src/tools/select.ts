/** Selects things by clicks, strokes over their pieces, or a box; dragging what is selected moves it. */

import type { Layer } from "../document/pair"
import { maskOf, withMask } from "../document/regions"
import { type Combine, combined } from "../geometry/combine"
import { emptyMask, has, isEmpty, type Mask, sameMask } from "../geometry/mask"
import type { Point } from "../geometry/matrix"
import { toScreen } from "../geometry/viewport"
import { Move } from "./move"
import { marching } from "./shape"
import { combineBy, needs, take, tell, withSelection } from "./taking"
import type { Tool, ToolContext, ToolEvent } from "./tool"

/** CSS pixels that a click may move before it is a stroke. */
const STILL = 4
/** CSS pixels that the pointer moves before what is under it is asked again. */
const STEP = 6
/** Milliseconds that the pointer rests before it is asked what a click would take: that costs as much as a click. */
const REST = 60
/** Half the width of a stroke over pieces, in CSS pixels. */
const REACH = 3
/** Points of one stroke that are sent at most. */
const MOST_POINTS = 1_000

/** Clicks that refine each other, and the mask they have made of what was there before. */
interface Clicks {
  readonly layer: Layer
  readonly before: Mask
  readonly how: Combine
  readonly points: readonly Point[]
  readonly labels: readonly boolean[]
  /** Which of the things that they may mean. */
  readonly choice: number
  readonly mask: Mask
  /** Whether that mask is in the regions: otherwise the first answer is still to come. */
  readonly committed: boolean
}

/** The select tool. */
export class Select implements Tool {
  readonly id = "select"
  readonly icon = "select"
  readonly label = "Select"
  readonly key = "s"
  readonly hint = "Click a thing, then drag it. Shift adds, Alt takes away; Tab tries another"
  readonly cursor = "crosshair"
  readonly taps = true
  private readonly move = new Move()
  /** What is lit up: the piece under the pointer, or, where that rests, all that a click would take. */
  private lit: Mask | null = null
  /** Whether that is what a click would take: in it, it stays. */
  private whole = false
  private askedAt: Point = { x: -1, y: -1 }
  private resting: ReturnType<typeof setTimeout> | undefined
  private path: Point[] = []
  private how: Combine = "replace"
  private dragged = false
  private clicks: Clicks | null = null

  get active(): boolean {
    return this.path.length > 0
  }

  taken(context: ToolContext): void {
    void context.select.ask("prepare")
  }

  /** Selected things are moved without changing the tool; with Shift or Alt a press selects all the same. */
  grabs(event: ToolEvent, context: ToolContext): boolean {
    const plain = !event.shift && !event.alt && !event.secondary
    return plain && context.layer === "handle" && this.move.finds(event, context)
  }

  hover(event: ToolEvent, context: ToolContext): void {
    if (this.active) return
    if (this.grabs(event, context)) return this.show(null, context)
    const [x, y] = [Math.round(event.x), Math.round(event.y)]
    const { width, height } = context.store.regions
    if (x < 0 || y < 0 || x >= width || y >= height) return this.show(null, context)
    const points = [{ x: event.x, y: event.y }]
    const moved = Math.hypot(x - this.askedAt.x, y - this.askedAt.y) * context.viewport.scale
    if (this.lit && moved < STEP) return
    clearTimeout(this.resting)
    this.resting = setTimeout(() => this.light("object", points, context), REST)
    const inside = this.whole && this.lit && has(this.lit, x, y)
    if (!inside && !context.select.isAsking("piece")) this.light("piece", points, context)
    else if (inside) this.askedAt = { x, y }
  }

  private light(how: "piece" | "object", points: Point[], context: ToolContext): void {
    const at = points[0] as Point
    this.askedAt = at
    void context.select.ask(how, { points }).then((found) => {
      if (!found || this.active || this.askedAt !== at) return
      this.whole = how === "object"
      this.show(found.mask, context)
    })
  }

  press(event: ToolEvent, context: ToolContext): void {
    clearTimeout(this.resting)
    this.path = [{ x: event.x, y: event.y }]
    this.how = combineBy(event)
    this.dragged = false
    context.store.changed.emit()
  }

  drag(events: readonly ToolEvent[], context: ToolContext): void {
    const first = this.path[0]
    if (!first) return
    for (const { x, y } of events) this.path.push({ x, y })
    const last = this.path.at(-1) as Point
    this.dragged ||= Math.hypot(last.x - first.x, last.y - first.y) * context.viewport.scale > STILL
    context.store.changed.emit()
  }

  release(event: ToolEvent, context: ToolContext): void {
    const path = this.path
    this.path = []
    this.lit = null
    if (path.length === 0) return
    if (!this.dragged) return this.click({ x: event.x, y: event.y }, context)
    const { how } = this
    const points = context.boxes ? [path[0] as Point, path.at(-1) as Point] : thinned(path)
    const amount = REACH / context.viewport.scale
    const asked = context.boxes
      ? context.select.ask("box", { points, ...needs(context, how) })
      : context.select.ask("brush", { points, amount, ...needs(context, how) })
    void asked.then((found) => found && take(found.mask, how, context))
    context.store.changed.emit()
  }

  /** Tab tries the next thing that the clicks may mean. */
  keyDown(key: string, _shift: boolean, context: ToolContext): boolean {
    const { clicks } = this
    const { store, layer } = context
    const now = () => maskOf(store.regions, store.regions.selected, layer)
    if (key !== "Tab" || !clicks?.committed || clicks.layer !== layer || !sameMask(clicks.mask, now()))
      return false
    const { points, labels } = clicks
    const choice = clicks.choice + 1
    void context.select
      .ask("click", { points, labels, choice, ...needs(context, clicks.how) })
      .then((found) => {
        if (!found || this.clicks !== clicks || !sameMask(now(), clicks.mask)) return
        const mask = combined(clicks.before, found.mask, clicks.how)
        if (isEmpty(found.mask) || sameMask(mask, clicks.mask))
          return context.notify("Nothing else is meant here")
        store.commit(withMask(store.regions, store.regions.selected, layer, mask))
        this.clicks = { ...clicks, mask: now(), choice }
        tell(context)
      })
    return true
  }

  cancel(context: ToolContext): void {
    this.path = []
    context.store.changed.emit()
  }

  /** The pointer has left the drawing area, or another tool is taken in hand. */
  leave(context: ToolContext): void {
    this.show(null, context)
  }

  paint(g: CanvasRenderingContext2D, context: ToolContext): void {
    this.move.paint(g, context)
    const { lit, path } = this
    if (lit?.width === context.store.regions.width) context.outline(g, lit)
    if (!this.dragged || path.length < 2) return
    const [a, b] = [path[0] as Point, path.at(-1) as Point].map((p) => toScreen(context.viewport, p))
    marching(g, this.how === "cut", () => {
      if (context.boxes && a && b)
        g.rect(Math.min(a.x, b.x), Math.min(a.y, b.y), Math.abs(b.x - a.x), Math.abs(b.y - a.y))
      else
        path.forEach((point, i) => {
          const p = toScreen(context.viewport, point)
          if (i) g.lineTo(p.x, p.y)
          else g.moveTo(p.x, p.y)
        })
    })
  }

  private show(lit: Mask | null, context: ToolContext): void {
    if (!lit) {
      clearTimeout(this.resting)
      this.askedAt = { x: -1, y: -1 }
    }
    if (lit === this.lit) return
    this.lit = lit
    context.store.changed.emit()
  }

  /** A click: on a thing, or, with Shift or Alt, one that corrects the clicks before. */
  private click(point: Point, context: ToolContext): void {
    const { store, layer } = context
    const now = () => maskOf(store.regions, store.regions.selected, layer)
    const known = this.clicks
    const goesOn = this.how !== "replace" && known?.layer === layer && sameMask(known.mask, now())
    const series = goesOn ? known : this.begun(now(), context)
    // The first click of a series means the thing under it, also where that is to be taken away.
    const label = !goesOn || (this.how === "add") !== (series.how === "cut")
    const asked = {
      ...series,
      choice: 0,
      points: [...series.points, point],
      labels: [...series.labels, label],
    }
    this.clicks = asked
    const { points, labels } = asked
    void context.select.ask("click", { points, labels, ...needs(context, asked.how) }).then((found) => {
      if (!found || !sameMask(now(), asked.mask)) {
        if (this.clicks === asked) this.clicks = series
        return
      }
      if (isEmpty(found.mask) && !goesOn) return context.notify("Nothing is selected here")
      const mask = combined(asked.before, found.mask, asked.how)
      store.commit(
        asked.committed
          ? withMask(store.regions, store.regions.selected, layer, mask)
          : withSelection(store.regions, layer, mask, asked.how === "replace" ? "replace" : "in place"),
      )
      this.clicks = { ...asked, mask: now(), committed: true }
      tell(context)
    })
  }

  private begun(now: Mask, { store, layer }: ToolContext): Clicks {
    const { width, height } = store.regions
    const before = this.how === "replace" ? emptyMask(width, height) : now
    return { layer, before, how: this.how, points: [], labels: [], choice: 0, mask: now, committed: false }
  }
}

/** A stroke with no more points than can be sent. */
function thinned(path: readonly Point[]): Point[] {
  const every = Math.ceil(path.length / MOST_POINTS)
  return path.filter((_, i) => i % every === 0 || i === path.length - 1)
}
