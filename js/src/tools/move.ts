/** Moves, scales and turns a pair's ghost; the target and its matrix follow. */

import { hasRoute, type Pair } from "../document/pair"
import { nudge, selectedPair, withMatrix } from "../document/regions"
import { has, isEmpty } from "../geometry/mask"
import { IDENTITY, type Matrix, type Point, translation } from "../geometry/matrix"
import { cornerDragged } from "../geometry/perspective"
import {
  broughtHome,
  dragged,
  type Grip,
  gripAt,
  gripPoint,
  inBox,
  rotatePoint,
  SCALE_GRIPS,
} from "../geometry/transform"
import { toScreen } from "../geometry/viewport"
import { warpedCorners } from "../geometry/warp"
import type { Tool, ToolContext, ToolEvent } from "./tool"

const SLACK = 9
const REACH = 26

interface Held {
  readonly pairId: string
  readonly grip: Grip
  readonly from: Point
  readonly start: Matrix
  /** Whether a painted target, which has no matrix, is moved as it is. */
  readonly painted: boolean
}

/** The move tool. */
export class Move implements Tool {
  readonly id = "move"
  readonly icon = "move"
  readonly label = "Move region"
  readonly key = "v"
  readonly hint =
    "Drag a handle to its place. Corners scale, with Ctrl in perspective; the knob rotates, Shift keeps it straight"
  readonly cursor = "default"
  readonly drags = true
  private held: Held | null = null
  private by: Point = { x: 0, y: 0 }

  get active(): boolean {
    return this.held !== null
  }

  press(event: ToolEvent, context: ToolContext): void {
    const found = this.find(event, context)
    if (!found) {
      context.notify("Nothing to drag here: paint a handle first")
      return
    }
    const index = context.store.regions.pairs.indexOf(found.pair)
    context.store.select(index)
    if (found.pair.locked) {
      context.notify(`Pair ${index + 1} is locked`)
      return
    }
    if (found.pair.dense && found.painted) {
      context.notify(`Pair ${index + 1} goes by a dense map, made in Python: change it there`)
      return
    }
    const base = { pairId: found.pair.id, grip: found.grip, from: { x: event.x, y: event.y } }
    this.by = { x: 0, y: 0 }
    const { start, painted } = found
    this.held = { ...base, start, painted }
    context.store.ghost = { pairId: found.pair.id, matrix: start, painted }
    context.store.changed.emit()
  }

  drag(events: readonly ToolEvent[], context: ToolContext): void {
    const held = this.held
    const event = events.at(-1)
    if (!held || !event) return
    const pair = context.store.regions.pairs.find((p) => p.id === held.pairId)
    if (!pair) return this.cancel(context)
    this.by = { x: Math.round(event.x - held.from.x), y: Math.round(event.y - held.from.y) }
    const { painted } = held
    const matrix = painted ? translation(this.by.x, this.by.y) : placedAt(pair, held, event)
    if (!matrix) return // a corner stops where it would turn the ghost over
    context.store.ghost = { pairId: pair.id, matrix, painted }
    context.store.changed.emit()
  }

  release(_event: ToolEvent, context: ToolContext): void {
    const held = this.held
    const ghost = context.store.ghost
    this.held = null
    if (!held) return
    const regions = context.store.regions
    const index = regions.pairs.findIndex((p) => p.id === held.pairId)
    const still = this.by.x === 0 && this.by.y === 0
    if (index < 0 || still) return context.store.cancelGesture()
    if (held.painted) context.store.commit(nudge(regions, index, "target", this.by.x, this.by.y))
    else if (ghost) context.store.commit(withMatrix(regions, index, ghost.matrix))
  }

  cancel(context: ToolContext): void {
    this.held = null
    context.store.cancelGesture()
  }

  cursorAt(event: ToolEvent, context: ToolContext): string {
    const found = this.find(event, context)
    if (!found || found.pair.locked) return "default"
    if (found.grip.kind === "move") return "move"
    if (found.grip.kind === "rotate") return "grab"
    const { sx, sy } = found.grip
    if (sx === 0) return "ns-resize"
    if (sy === 0) return "ew-resize"
    return sx === sy ? "nwse-resize" : "nesw-resize"
  }

  paint(g: CanvasRenderingContext2D, context: ToolContext): void {
    const pair = selectedPair(context.store.regions)
    if (!pair?.visible || pair.locked || isEmpty(pair.handle)) return
    const ghost = context.store.ghost
    const matrix = ghost?.pairId === pair.id && !ghost.painted ? ghost.matrix : pair.matrix
    if (!matrix) return
    const view = (p: Point) => toScreen(context.viewport, p)
    const corners = warpedCorners(pair.handle, matrix).map(view)
    const knob = view(rotatePoint(pair.handle, matrix, REACH / context.viewport.scale))
    const top = view(gripPoint(pair.handle, matrix, { kind: "scale", sx: 0, sy: -1 }))
    g.save()
    for (const [color, width] of [
      ["rgb(255 255 255 / 0.9)", 3],
      ["#2563eb", 1.25],
    ] as const) {
      g.strokeStyle = color
      g.lineWidth = width
      g.beginPath()
      corners.forEach((p, i) => {
        if (i) g.lineTo(p.x, p.y)
        else g.moveTo(p.x, p.y)
      })
      g.closePath()
      g.moveTo(top.x, top.y)
      g.lineTo(knob.x, knob.y)
      g.stroke()
    }
    g.fillStyle = "#fff"
    g.strokeStyle = "#2563eb"
    g.lineWidth = 1.5
    for (const grip of SCALE_GRIPS) {
      const p = view(gripPoint(pair.handle, matrix, grip))
      g.beginPath()
      g.rect(p.x - 4, p.y - 4, 8, 8)
      g.fill()
      g.stroke()
    }
    g.beginPath()
    g.arc(knob.x, knob.y, 5, 0, 2 * Math.PI)
    g.fill()
    g.stroke()
    g.restore()
  }

  /** What is under the pointer: a grip of the active ghost, otherwise a target, otherwise a handle, topmost first. */
  private find(
    event: ToolEvent,
    context: ToolContext,
  ): { pair: Pair; grip: Grip; start: Matrix; painted: boolean } | null {
    const { regions } = context.store
    const scale = context.viewport.scale
    const active = selectedPair(regions)
    if (active?.matrix && active.visible && !active.locked && !isEmpty(active.handle)) {
      const grip = gripAt(active.handle, active.matrix, event, SLACK / scale, REACH / scale)
      if (grip) return { pair: active, grip, start: active.matrix, painted: false }
    }
    const x = Math.round(event.x)
    const y = Math.round(event.y)
    const order = [...regions.pairs].reverse().filter((p) => p.visible)
    // For the pointer, the active pair is on top.
    if (active?.visible) order.sort((a, b) => Number(b === active) - Number(a === active))
    const move = { kind: "move" } as const
    const target = order.find((p) => has(p.target, x, y))
    if (target) {
      const painted = !hasRoute(target)
      return { pair: target, grip: move, start: target.matrix ?? IDENTITY, painted }
    }
    const handle = order.find((p) => has(p.handle, x, y))
    // A thin or ragged ghost may be dragged by the inside of its box.
    if (!handle && active?.matrix && active.visible && inBox(active.handle, active.matrix, event)) {
      return { pair: active, grip: move, start: active.matrix, painted: false }
    }
    if (!handle) return null
    const start = handle.matrix ? broughtHome(handle.handle, handle.matrix) : IDENTITY
    return { pair: handle, grip: move, start, painted: false }
  }
}

/** The ghost's matrix while it is dragged; with Ctrl a corner goes alone. Null if that would turn the ghost over. */
function placedAt(pair: Pair, { start, grip, from }: Held, event: ToolEvent): Matrix | null {
  const corner = event.ctrl && grip.kind === "scale" ? CORNERS.indexOf(`${grip.sx} ${grip.sy}`) : -1
  if (corner >= 0) return cornerDragged(pair.handle, start, corner, event)
  return dragged(pair.handle, start, grip, from, event, event)
}

/** Clockwise from the upper left. */
const CORNERS = ["-1 -1", "1 -1", "1 1", "-1 1"]
