/** The lower canvas: the picture, the frame of a run or a draft over it, or the result with or without the original. */

import type { Size, Viewport } from "../geometry/viewport"
import type { Draft } from "../model/drafts"
import type { Frame } from "../model/frames"
import type { Picture } from "../model/pictures"

/** How the result is compared with the original. */
export type Compare = "off" | "slider" | "side"

/** Everything that the lower canvas shows. */
export interface BaseScene {
  readonly picture: Picture
  readonly frame: Frame | Draft | null
  readonly result: Picture | null
  readonly compare: Compare
  /** Where the divider is, 0 to 1 of the width. */
  readonly split: number
  readonly original: boolean
}

/** Paints the lower canvas; `area` is its size in CSS pixels. */
export function paintBase(
  g: CanvasRenderingContext2D,
  scene: BaseScene,
  viewport: Viewport,
  area: Size,
): void {
  g.clearRect(0, 0, area.width, area.height)
  const { picture, result } = scene
  if (!result || scene.original) {
    paintPicture(g, picture, viewport)
    if (scene.frame && !result) paintFrame(g, scene.frame, viewport)
    return
  }
  if (scene.compare === "off") return paintPicture(g, result, viewport, picture)
  if (scene.compare === "side") {
    const half = area.width / 2
    clipped(g, 0, half, area, () => paintPicture(g, picture, viewport))
    clipped(g, half, half, area, () =>
      paintPicture(g, result, { ...viewport, x: viewport.x + half }, picture),
    )
    return
  }
  const x = scene.split * area.width
  clipped(g, 0, x, area, () => paintPicture(g, picture, viewport))
  clipped(g, x, area.width - x, area, () => paintPicture(g, result, viewport, picture))
}

function paintPicture(
  g: CanvasRenderingContext2D,
  shown: Picture,
  viewport: Viewport,
  size: Size = shown,
): void {
  const w = size.width * viewport.scale
  const h = size.height * viewport.scale
  if (shown.alpha) checker(g, viewport.x, viewport.y, w, h)
  // Magnified pixels are shown as they are; shrunk ones are averaged.
  g.imageSmoothingEnabled = viewport.scale < 3
  g.imageSmoothingQuality = "high"
  g.drawImage(shown.image, viewport.x, viewport.y, w, h)
}

function paintFrame(g: CanvasRenderingContext2D, frame: Frame | Draft, viewport: Viewport): void {
  const [x0, y0, x1, y1] = frame.box
  const { scale, x, y } = viewport
  g.imageSmoothingEnabled = true
  g.imageSmoothingQuality = "high"
  g.drawImage(frame.image, x + x0 * scale, y + y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale)
}

function clipped(g: CanvasRenderingContext2D, x: number, width: number, area: Size, draw: () => void): void {
  g.save()
  g.beginPath()
  g.rect(x, 0, width, area.height)
  g.clip()
  draw()
  g.restore()
}

/** The pattern behind transparent pixels. */
function checker(g: CanvasRenderingContext2D, x: number, y: number, w: number, h: number): void {
  g.fillStyle = "#fff"
  g.fillRect(x, y, w, h)
  g.save()
  g.beginPath()
  g.rect(x, y, w, h)
  g.clip()
  g.fillStyle = "#ddd"
  const cell = 8
  for (let row = 0; row * cell < h; row++) {
    for (let col = row % 2; col * cell < w; col += 2) g.fillRect(x + col * cell, y + row * cell, cell, cell)
  }
  g.restore()
}
