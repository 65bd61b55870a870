/** Bends a region by pins: put pins on it and pull them; every other pin holds. */

import { hasRoute, meshOf, type Pair } from "../document/pair"
import { selectedPair, withPinsOf } from "../document/regions"
import { folds, MAX_PINS, type Pin } from "../geometry/bend"
import { has, isEmpty } from "../geometry/mask"
import { apply, IDENTITY, invert, type Point } from "../geometry/matrix"
import { toSource } from "../geometry/mesh"
import { toScreen } from "../geometry/viewport"
import type { Tool, ToolContext, ToolEvent } from "./tool"

const SLACK = 10
/** How often the way to a place that would fold is halved, to stop the pin just before it. */
const HALVINGS = 7

interface Held {
  readonly pairId: string
  readonly index: number
  /** The pins as they are where the pin in hand may still be. */
  pins: readonly Pin[]
  /** Whether something has changed: a new pin, or one that was pulled. */
  changed: boolean
}

/** The pins tool. */
export class Pins implements Tool {
  readonly id = "pins"
  readonly icon = "pin"
  readonly label = "Bend with pins"
  readonly key = "i"
  readonly hint = "Click puts a pin, pulling one bends the region; the others hold. Delete removes one"
  readonly cursor = "crosshair"
  readonly drags = true
  private held: Held | null = null
  /** The pin that Delete removes and the arrow keys move. */
  private chosen: { readonly pairId: string; readonly index: number } | null = null

  get active(): boolean {
    return this.held !== null
  }

  press(event: ToolEvent, context: ToolContext): void {
    const { store } = context
    const pair = this.pairAt(event, context)
    if (!pair) return context.notify("No region here: draw one, then put pins on it")
    const number = store.regions.pairs.indexOf(pair) + 1
    store.select(number - 1)
    const refusal = refused(pair)
    if (refusal) return context.notify(`Pair ${number} ${refusal}`)
    const index = pinAt(pair, event, context)
    if (index >= 0 && (event.alt || event.secondary)) return this.remove(pair, index, context)
    if (event.secondary) return
    if (index >= 0) this.hold(pair, index, pair.pins, false, context)
    else this.add(pair, event, context)
  }

  drag(events: readonly ToolEvent[], context: ToolContext): void {
    const held = this.held
    const event = events.at(-1)
    const pair = context.store.regions.pairs.find((p) => p.id === held?.pairId)
    if (!held || !event) return
    if (!pair) return this.cancel(context)
    const pins = pulled(pair, held.pins, held.index, event)
    if (pins === held.pins) return
    held.pins = pins
    held.changed = true
    this.show(pair, pins, context)
  }

  release(_event: ToolEvent, context: ToolContext): void {
    const held = this.held
    this.held = null
    if (!held) return
    const { store } = context
    const index = store.regions.pairs.findIndex((p) => p.id === held.pairId)
    if (index < 0 || !held.changed) return store.cancelGesture()
    store.commit(withPinsOf(store.regions, index, held.pins))
  }

  cancel(context: ToolContext): void {
    this.held = null
    this.chosen = null
    context.store.cancelGesture()
    context.store.changed.emit()
  }

  keyDown(key: string, shift: boolean, context: ToolContext): boolean {
    const pair = selectedPair(context.store.regions)
    const index = this.chosenOf(pair)
    if (!pair || pair.pins.length === 0 || refused(pair)) return false
    const removes = key === "Delete" || key === "Backspace"
    if (removes && index < 0) {
      // The key would remove the whole pair.
      context.notify("Click the pin to remove first")
      return true
    }
    if (index < 0) return false
    if (removes) {
      this.remove(pair, index, context)
      return true
    }
    const by = ARROWS[key]
    const pin = pair.pins[index]
    if (!by || !pin) return false
    const step = shift ? 10 : 1
    const pins = pulled(pair, pair.pins, index, { x: pin.toX + by[0] * step, y: pin.toY + by[1] * step })
    const at = context.store.regions.pairs.indexOf(pair)
    if (pins !== pair.pins) context.store.commit(withPinsOf(context.store.regions, at, pins))
    return true
  }

  cursorAt(event: ToolEvent, context: ToolContext): string {
    const pair = this.pairAt(event, context)
    if (!pair || refused(pair)) return "default"
    return pinAt(pair, event, context) >= 0 ? "grab" : "crosshair"
  }

  paint(g: CanvasRenderingContext2D, context: ToolContext): void {
    const pair = selectedPair(context.store.regions)
    if (!pair?.visible) return
    const held = this.held?.pairId === pair.id ? this.held : null
    const pins = held?.pins ?? pair.pins
    const chosen = held?.index ?? this.chosenOf(pair)
    g.save()
    pins.forEach((pin, i) => {
      const p = toScreen(context.viewport, { x: pin.toX, y: pin.toY })
      g.beginPath()
      g.arc(p.x, p.y, 6.5, 0, 2 * Math.PI)
      g.fillStyle = i === chosen ? "#2563eb" : "#fff"
      g.fill()
      g.lineWidth = 2
      g.strokeStyle = i === chosen ? "#fff" : "#2563eb"
      g.stroke()
      g.beginPath()
      g.arc(p.x, p.y, 2, 0, 2 * Math.PI)
      g.fillStyle = i === chosen ? "#fff" : "#2563eb"
      g.fill()
    })
    g.restore()
  }

  private hold(
    pair: Pair,
    index: number,
    pins: readonly Pin[],
    changed: boolean,
    context: ToolContext,
  ): void {
    this.held = { pairId: pair.id, index, pins, changed }
    this.chosen = { pairId: pair.id, index }
    this.show(pair, pins, context)
  }

  private show(pair: Pair, pins: readonly Pin[], context: ToolContext): void {
    const matrix = pair.matrix ?? IDENTITY
    context.store.ghost = { pairId: pair.id, matrix, painted: false, pins }
    context.store.changed.emit()
  }

  private add(pair: Pair, event: Point, context: ToolContext): void {
    if (pair.pins.length >= MAX_PINS) return context.notify(`A region has at most ${MAX_PINS} pins`)
    const from = originOf(pair, event)
    if (!from) return context.notify("Put the pin on the region")
    const pin = { x: from.x, y: from.y, toX: event.x, toY: event.y }
    const pins = [...pair.pins, pin]
    if (folds(pair.handle, pair.matrix ?? IDENTITY, pins)) {
      return context.notify("This is too near another pin")
    }
    this.hold(pair, pins.length - 1, pins, true, context)
  }

  private remove(pair: Pair, index: number, context: ToolContext): void {
    const { store } = context
    this.chosen = null
    const left = pair.pins.filter((_, i) => i !== index)
    if (left.length > 0 && folds(pair.handle, pair.matrix ?? IDENTITY, left)) {
      return context.notify("Without this pin the others would fold the region: pull them back first")
    }
    store.commit(withPinsOf(store.regions, store.regions.pairs.indexOf(pair), left))
  }

  private chosenOf(pair: Pair | null): number {
    const { chosen } = this
    return pair && chosen?.pairId === pair.id && chosen.index < pair.pins.length ? chosen.index : -1
  }

  /** The pair under the pointer: by a pin, by its target, or by its handle; the active one first. */
  private pairAt(event: ToolEvent, context: ToolContext): Pair | null {
    const { regions } = context.store
    const active = selectedPair(regions)
    const order = [...regions.pairs].reverse().filter((p) => p.visible && !isEmpty(p.handle))
    order.sort((a, b) => Number(b === active) - Number(a === active))
    const [x, y] = [Math.round(event.x), Math.round(event.y)]
    return (
      order.find((p) => pinAt(p, event, context) >= 0) ??
      order.find((p) => has(p.target, x, y)) ??
      order.find((p) => isEmpty(p.target) && has(p.handle, x, y)) ??
      null
    )
  }
}

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
}

/** Why a pair cannot be bent, in words; empty if it can. */
function refused(pair: Pair): string {
  if (pair.locked) return "is locked"
  if (pair.dense) return "goes by a dense map, made in Python: change it there"
  const painted = !hasRoute(pair) && !isEmpty(pair.target)
  return painted ? "has a painted target: drag the region with the move tool instead, then bend it" : ""
}

/** The pin under the pointer, -1 for none; of several the nearest. */
function pinAt(pair: Pair, at: Point, context: ToolContext): number {
  const distances = pair.pins.map(
    (pin) => Math.hypot(pin.toX - at.x, pin.toY - at.y) * context.viewport.scale,
  )
  const least = Math.min(...distances)
  return least <= SLACK ? distances.indexOf(least) : -1
}

/** The handle's point that is shown at a point of the target; null if there is none. */
function originOf(pair: Pair, at: Point): Point | null {
  const mesh = meshOf(pair)
  if (mesh) return toSource(mesh, at)
  const back = invert(pair.matrix ?? IDENTITY)
  return back ? apply(back, at) : null
}

/** The pins with one of them pulled towards a place, as far as the region does not fold; the same ones if not at all. */
function pulled(pair: Pair, pins: readonly Pin[], index: number, to: Point): readonly Pin[] {
  const now = pins[index] as Pin
  const matrix = pair.matrix ?? IDENTITY
  const at = (share: number) => {
    const moved = { ...now, toX: now.toX + share * (to.x - now.toX), toY: now.toY + share * (to.y - now.toY) }
    return pins.map((pin, i) => (i === index ? moved : pin))
  }
  const whole = at(1)
  if (!folds(pair.handle, matrix, whole)) return whole
  let [best, good, bad] = [pins, 0, 1]
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (good + bad) / 2
    const tried = at(middle)
    if (folds(pair.handle, matrix, tried)) bad = middle
    else [good, best] = [middle, tried]
  }
  return best
}
