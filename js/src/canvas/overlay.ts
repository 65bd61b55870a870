/** The upper canvas: regions, arrows, numbers, and the drag preview. */

import type { Findings } from "../document/findings"
import { type Layer, meshOf, type Pair } from "../document/pair"
import { carriedOf, type Ghost, pairAt } from "../document/placement"
import type { Regions } from "../document/regions"
import type { Routes } from "../document/routes"
import type { Stroke } from "../document/store"
import { centroid, isEmpty, type Mask } from "../geometry/mask"
import { apply, type Matrix, type Point } from "../geometry/matrix"
import { toTarget } from "../geometry/mesh"
import { toScreen, type Viewport } from "../geometry/viewport"
import type { ShownDraft } from "../model/drafts"
import type { Picture } from "../model/pictures"
import { carriedOutlines, paintCarriedLine, throughMesh } from "./carriedline"
import { css, type Rgb, shade } from "./colors"
import { paintCarried } from "./dragpreview"
import { drawMask, outlinePath } from "./placing"
import { StrokeSprite } from "./sprites"
import type { VacatedPainter } from "./vacated"

/** Everything that the upper canvas shows. */
export interface OverlayScene {
  readonly picture: Picture
  readonly regions: Regions
  readonly stroke: Stroke | null
  readonly ghost: Ghost | null
  /** What of the handles will be carried, as far as it is known. */
  readonly findings: Pick<Findings, "of">
  /** How painted targets and dense maps go, as far as the kernel has told. */
  readonly routes: Pick<Routes, "of">
  /** Whether the drag preview is shown, and whether the vacated place will be filled. */
  readonly dragPreview: boolean
  readonly hatched: boolean
  /** 0 to 1: how strongly regions are tinted. */
  readonly opacity: number
  /** The kernel's newest draft: the lower canvas shows it whole, or this one shows what it fills in. */
  readonly shownDraft: ShownDraft | null
  /** Only outlines, as while a run shows its frames. */
  readonly faint: boolean
}

const strokeSprites = new WeakMap<object, StrokeSprite>()

/** Paints the upper canvas; `ratio` is device pixels per CSS pixel. */
export function paintOverlay(
  g: CanvasRenderingContext2D,
  scene: OverlayScene,
  viewport: Viewport,
  ratio: number,
  vacated: VacatedPainter,
): void {
  const shown = scene.regions.pairs.map((pair, index) => ({ pair, index })).filter(({ pair }) => pair.visible)
  const whole = scene.shownDraft?.whole === true
  const previews = scene.dragPreview && !scene.faint && !whole
  const carried = previews ? shown.flatMap(({ pair }) => carriedOf(pair, scene) ?? []) : []
  if (scene.hatched && carried.length > 0)
    vacated.paint(g, carried, scene.shownDraft?.draft ?? null, viewport, ratio)
  for (const one of carried) paintCarried(g, one, scene.picture, viewport, ratio)
  const tint = scene.faint || whole ? 0 : scene.opacity
  const paint = (one: Painted) => paintMask(g, one, scene.stroke, viewport)
  const { protect } = scene.regions
  if (!scene.faint) {
    paint({
      layer: "protect",
      pairId: "",
      mask: protect,
      rgb: shade("protect", 0),
      alpha: tint,
      active: true,
    })
  }
  for (const { pair, index } of shown) {
    const active = index === scene.regions.selected
    // A tint would hide the pixels of the drag preview.
    const alpha = previews && carriedOf(pair, scene) !== null ? 0 : tint
    const ghost = scene.ghost?.pairId === pair.id ? scene.ghost : null
    if (ghost) {
      const moved = ghost.painted ? pair.target : pair.handle
      const mesh = ghost.painted ? null : meshOf(pairAt(pair, ghost))
      const there = mesh ? throughMesh(moved, mesh) : moved
      outlined(g, there, mesh ? null : ghost.matrix, shade("target", pair.color), viewport, true)
    }
    for (const layer of ["target", "handle"] as const) {
      if (layer === "target" && (ghost || pair.action === "remove")) continue
      paint({ layer, pairId: pair.id, mask: pair[layer], rgb: shade(layer, pair.color), alpha, active })
    }
  }
  if (scene.faint) return
  for (const { pair } of shown)
    for (const one of carriedOutlines(pair, scene)) paintCarriedLine(g, one, viewport)
  if (whole) return
  for (const { pair, index } of shown) annotate(g, pair, index, scene, viewport)
}

/** How one mask is shown. */
interface Painted {
  readonly layer: Layer
  readonly pairId: string
  readonly mask: Mask
  readonly rgb: Rgb
  readonly alpha: number
  readonly active: boolean
}

function paintMask(
  g: CanvasRenderingContext2D,
  one: Painted,
  stroke: Stroke | null,
  viewport: Viewport,
): void {
  const { mask, rgb, alpha } = one
  g.save()
  g.imageSmoothingEnabled = viewport.scale < 3
  if (stroke?.layer === one.layer && stroke.pairId === one.pairId) {
    const sprite = strokeSprites.get(stroke.buffer) ?? new StrokeSprite(stroke.buffer, rgb)
    strokeSprites.set(stroke.buffer, sprite)
    sprite.update()
    g.globalAlpha = Math.max(alpha, 0.3)
    const { scale, x, y } = viewport
    g.drawImage(sprite.canvas, x, y, sprite.canvas.width * scale, sprite.canvas.height * scale)
  } else if (!isEmpty(mask)) {
    g.globalAlpha = alpha
    if (alpha > 0) drawMask(g, mask, rgb, null, viewport)
    g.globalAlpha = 1
    outlined(g, mask, null, rgb, viewport, one.active)
  }
  g.restore()
}

function outlined(
  g: CanvasRenderingContext2D,
  mask: Mask,
  matrix: Matrix | null,
  rgb: Rgb,
  viewport: Viewport,
  active: boolean,
): void {
  if (isEmpty(mask)) return
  const path = outlinePath(g, mask, matrix, viewport)
  g.save()
  g.lineCap = "round"
  // A light rim makes the colour visible on any picture.
  g.strokeStyle = "rgb(255 255 255 / 0.75)"
  g.lineWidth = active ? 3.5 : 2
  g.stroke(path)
  g.strokeStyle = css(rgb)
  g.lineWidth = active ? 2 : 1.2
  g.stroke(path)
  g.restore()
}

function annotate(
  g: CanvasRenderingContext2D,
  pair: Pair,
  index: number,
  scene: OverlayScene,
  viewport: Viewport,
): void {
  const from = centroid(pair.handle)
  if (!from) return
  const active = index === scene.regions.selected
  const ghost = scene.ghost?.pairId === pair.id ? scene.ghost : null
  const there = pair.action === "remove" ? null : centroid(pair.target)
  const before = ghost && !ghost.painted ? from : there
  const mesh = ghost && !ghost.painted ? meshOf(pairAt(pair, ghost)) : null
  const moved = mesh ? toTarget(mesh, from) : null
  const to = moved ?? (ghost && before ? apply(ghost.matrix, before) : before)
  const start = toScreen(viewport, from)
  if (to) arrow(g, start, toScreen(viewport, to), shade("target", pair.color))
  badge(g, start, String(index + 1), shade("handle", pair.color), active)
}

function arrow(g: CanvasRenderingContext2D, a: Point, b: Point, rgb: Rgb): void {
  const length = Math.hypot(b.x - a.x, b.y - a.y)
  if (length < 18) return
  const ux = (b.x - a.x) / length
  const uy = (b.y - a.y) / length
  const tip = 9
  const path = new Path2D()
  path.moveTo(a.x + ux * 10, a.y + uy * 10)
  path.lineTo(b.x - ux * tip, b.y - uy * tip)
  const head = new Path2D()
  head.moveTo(b.x, b.y)
  head.lineTo(b.x - ux * tip - uy * 5, b.y - uy * tip + ux * 5)
  head.lineTo(b.x - ux * tip + uy * 5, b.y - uy * tip - ux * 5)
  head.closePath()
  g.save()
  g.lineCap = "round"
  g.lineJoin = "round"
  g.strokeStyle = "rgb(255 255 255 / 0.85)"
  g.lineWidth = 5
  g.stroke(path)
  g.lineWidth = 3
  g.stroke(head)
  g.strokeStyle = css(rgb)
  g.fillStyle = css(rgb)
  g.lineWidth = 2.5
  g.stroke(path)
  g.fill(head)
  g.restore()
}

function badge(g: CanvasRenderingContext2D, at: Point, text: string, rgb: Rgb, active: boolean): void {
  g.save()
  g.beginPath()
  g.arc(at.x, at.y, 9, 0, 2 * Math.PI)
  g.lineWidth = active ? 7 : 5.5
  g.strokeStyle = "#fff"
  g.stroke()
  g.lineWidth = 4
  g.strokeStyle = css(rgb)
  g.stroke()
  // As in the list of pairs: white on the shade itself is hard to read.
  g.fillStyle = "#1d2027"
  g.fill()
  g.fillStyle = "#fff"
  g.font = "600 11px system-ui, sans-serif"
  g.textAlign = "center"
  g.textBaseline = "middle"
  g.fillText(text, at.x, at.y + 0.5)
  g.restore()
}
