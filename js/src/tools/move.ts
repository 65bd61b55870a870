/** Moves, scales and turns a pair's ghost; the target and its matrix follow. */

import { type Action, hasRoute, type Pair } from "../document/pair"
import type { Ghost } from "../document/placement"
import { addPair, changePair, nudge, type Regions, selectedPair, withMatrix } from "../document/regions"
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
  knobOf,
  SCALE_GRIPS,
} from "../geometry/transform"
import { inView, toScreen } from "../geometry/viewport"
import { warpedCorners } from "../geometry/warp"
import type { Tool, ToolContext, ToolEvent } from "./tool"

const SLACK = 9
const REACH = 26
/** How far inside the drawing area grips are kept, in CSS pixels. */
const MARGIN = 7

interface Held {
  readonly pairId: string
  readonly grip: Grip
  readonly from: Point
  readonly start: Matrix
  /** Whether a painted target, which has no matrix, is moved as it is. */
  readonly painted: boolean
  /** The pair that the drag makes, by copying one that has its place already. */
  readonly copy: Pair | null
  readonly action: Action
}

/** The move tool. */
export class Move implements Tool {
  readonly id = "move"
  readonly icon = "move"
  readonly label = "Move region"
  readonly key = "v"
  readonly hint =
    "Drag a handle to its place. Corners scale, with Ctrl in perspective; the knob turns, Shift keeps it straight, Alt copies"
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
      const drawn = context.store.regions.pairs.some(({ handle }) => !isEmpty(handle))
      context.notify(drawn ? "Nothing to drag here: press on a region" : "Paint what should move first")
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
    this.by = { x: 0, y: 0 }
    const { pair, grip, start, painted } = found
    // With Alt the thing stays: its pair becomes a copy, or another pair is made if it has its place already.
    const copies = event.alt && grip.kind === "move" && !painted
    const placed = copies && pair.action !== "remove" && !isEmpty(pair.target)
    const copy = placed ? copyOf(pair, context) : null
    const before = pair.action === "remove" ? "move" : pair.action
    this.held = {
      pairId: (copy ?? pair).id,
      grip,
      from: { x: event.x, y: event.y },
      start,
      painted,
      copy,
      action: copies ? "copy" : before,
    }
    context.store.ghost = this.ghost(start)
    context.store.changed.emit()
  }

  drag(events: readonly ToolEvent[], context: ToolContext): void {
    const held = this.held
    const event = events.at(-1)
    if (!held || !event) return
    const pair = held.copy ?? context.store.regions.pairs.find((p) => p.id === held.pairId)
    if (!pair) return this.cancel(context)
    this.by = { x: Math.round(event.x - held.from.x), y: Math.round(event.y - held.from.y) }
    const { painted } = held
    const matrix = painted ? translation(this.by.x, this.by.y) : placedAt(pair, held, event)
    if (!matrix) return // a corner stops where it would turn the ghost over
    context.store.ghost = this.ghost(matrix)
    context.store.changed.emit()
  }

  release(_event: ToolEvent, context: ToolContext): void {
    const held = this.held
    const ghost = context.store.ghost
    this.held = null
    if (!held) return
    const shown = context.store.shown
    const regions = held.copy
      ? shown
      : changedAction(
          context.store.regions,
          shown.pairs.findIndex((p) => p.id === held.pairId),
          held.action,
        )
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

  /** Whether a press here would take hold of something. */
  finds(event: ToolEvent, context: ToolContext): boolean {
    const found = this.find(event, context)
    return found !== null && !found.pair.locked
  }

  cursorAt(event: ToolEvent, context: ToolContext): string {
    const found = this.find(event, context)
    if (!found || found.pair.locked) return "default"
    if (found.grip.kind === "move") return event.alt ? "copy" : "move"
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
    if (pair.action === "remove" && ghost?.pairId !== pair.id) return
    const matrix = ghost?.pairId === pair.id && !ghost.painted ? ghost.matrix : pair.matrix
    if (!matrix) return
    const view = (p: Point) => toScreen(context.viewport, p)
    const corners = warpedCorners(pair.handle, matrix).map(view)
    const seen = inView(context.viewport, context.area, MARGIN)
    const { at, foot } = knobOf(pair.handle, matrix, REACH / context.viewport.scale, seen)
    const knob = view(at)
    const top = view(foot)
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
      const p = view(gripPoint(pair.handle, matrix, grip, seen))
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
    const placed = active && active.action !== "remove" ? active.matrix : null
    if (active && placed && active.visible && !active.locked && !isEmpty(active.handle)) {
      const seen = inView(context.viewport, context.area, MARGIN)
      const grip = gripAt(active.handle, placed, event, SLACK / scale, REACH / scale, seen)
      if (grip) return { pair: active, grip, start: placed, painted: false }
    }
    const x = Math.round(event.x)
    const y = Math.round(event.y)
    const order = [...regions.pairs].reverse().filter((p) => p.visible)
    // For the pointer, the active pair is on top.
    if (active?.visible) order.sort((a, b) => Number(b === active) - Number(a === active))
    const move = { kind: "move" } as const
    const target = order.find((p) => p.action !== "remove" && has(p.target, x, y))
    if (target) {
      const painted = !hasRoute(target)
      return { pair: target, grip: move, start: target.matrix ?? IDENTITY, painted }
    }
    const handle = order.find((p) => has(p.handle, x, y))
    // A thin or ragged ghost may be dragged by the inside of its box.
    if (!handle && active && placed && active.visible && inBox(active.handle, placed, event)) {
      return { pair: active, grip: move, start: placed, painted: false }
    }
    if (!handle) return null
    const start = handle.matrix ? broughtHome(handle.handle, handle.matrix) : IDENTITY
    return { pair: handle, grip: move, start, painted: false }
  }

  private ghost(matrix: Matrix): Ghost | null {
    if (!this.held) return null
    const { pairId, painted, action, copy } = this.held
    return { pairId, matrix, painted, action, ...(copy && { newPair: copy }) }
  }
}

/** The pair again, as one of its own that leaves the original. */
function copyOf({ name, carry, chosen, handle, matrix, pins }: Pair, context: ToolContext): Pair | null {
  const fields = { name, carry, chosen, handle, matrix, pins, action: "copy" } as const
  return addPair(context.store.regions, fields).pairs.at(-1) ?? null
}

function changedAction(regions: Regions, index: number, action: Action): Regions {
  return regions.pairs[index]?.action === action ? regions : changePair(regions, index, { action })
}

/** The ghost's matrix while it is dragged; with Ctrl a corner goes alone. Null if that would turn the ghost over. */
function placedAt(pair: Pair, { start, grip, from }: Held, event: ToolEvent): Matrix | null {
  const corner = event.ctrl && grip.kind === "scale" ? CORNERS.indexOf(`${grip.sx} ${grip.sy}`) : -1
  if (corner >= 0) return cornerDragged(pair.handle, start, corner, event)
  return dragged(pair.handle, start, grip, from, event, event)
}

/** Clockwise from the upper left. */
const CORNERS = ["-1 -1", "1 -1", "1 1", "-1 1"]
