/** Where the picture lies in the drawing area: CSS pixels = scale * (picture pixel + 0.5) + offset. Pure arithmetic. */
import type { Point } from "./matrix"

/** A size in pixels. */
export interface Size {
  readonly width: number
  readonly height: number
}

/** Zoom and position of the picture. */
export interface Viewport {
  /** CSS pixels per picture pixel. */
  readonly scale: number
  /** CSS position of the picture's top left corner. */
  readonly x: number
  readonly y: number
}

/** The smallest scale. */
export const SMALLEST = 0.02
/** The largest scale. */
export const LARGEST = 40

/** The whole picture, centred, with a margin; a small picture is magnified at most fourfold. */
export function fitIn(picture: Size, area: Size, margin = 12): Viewport {
  const w = Math.max(1, area.width - 2 * margin)
  const h = Math.max(1, area.height - 2 * margin)
  const scale = clampScale(Math.min(w / Math.max(1, picture.width), h / Math.max(1, picture.height), 4))
  return centred(picture, area, scale)
}

/** The picture in the middle, at a given scale. */
export function centred(picture: Size, area: Size, scale: number): Viewport {
  return { scale, x: (area.width - picture.width * scale) / 2, y: (area.height - picture.height * scale) / 2 }
}

/** Zooms so that the picture point under `at` (CSS pixels) stays there. */
export function zoomAt(viewport: Viewport, at: Point, scale: number): Viewport {
  const to = clampScale(scale)
  const k = to / viewport.scale
  return { scale: to, x: at.x - (at.x - viewport.x) * k, y: at.y - (at.y - viewport.y) * k }
}

/** Moves the picture by CSS pixels. */
export function pan(viewport: Viewport, dx: number, dy: number): Viewport {
  return { ...viewport, x: viewport.x + dx, y: viewport.y + dy }
}

/** Keeps at least a corner of the picture in the drawing area, so that it cannot be lost. */
export function bounded(viewport: Viewport, picture: Size, area: Size, keep = 48): Viewport {
  const w = picture.width * viewport.scale
  const h = picture.height * viewport.scale
  const inside = (value: number, size: number, room: number) => {
    const margin = Math.min(keep, size)
    return Math.min(room - margin, Math.max(margin - size, value))
  }
  return { ...viewport, x: inside(viewport.x, w, area.width), y: inside(viewport.y, h, area.height) }
}

/** CSS pixels of the drawing area to picture coordinates (pixel centres at whole numbers). */
export function toPicture(viewport: Viewport, p: Point): Point {
  return { x: (p.x - viewport.x) / viewport.scale - 0.5, y: (p.y - viewport.y) / viewport.scale - 0.5 }
}

/** Picture coordinates to CSS pixels of the drawing area. */
export function toScreen(viewport: Viewport, p: Point): Point {
  return { x: (p.x + 0.5) * viewport.scale + viewport.x, y: (p.y + 0.5) * viewport.scale + viewport.y }
}

/** The part of the picture's plane in the drawing area, but for a margin in CSS pixels. */
export function inView(
  viewport: Viewport,
  area: Size,
  margin: number,
): { x0: number; y0: number; x1: number; y1: number } {
  const a = toPicture(viewport, { x: margin, y: margin })
  const b = toPicture(viewport, { x: area.width - margin, y: area.height - margin })
  return { x0: a.x, y0: a.y, x1: b.x, y1: b.y }
}

/** The scale after a turn of the wheel: a step of a mouse wheel changes it by a quarter, a trackpad's pinch smoothly. */
export function wheelScale(scale: number, deltaY: number): number {
  return clampScale(scale * Math.exp(-Math.max(-120, Math.min(120, deltaY)) * 0.002))
}

/** The scale within its limits. */
export function clampScale(scale: number): number {
  return Math.min(LARGEST, Math.max(SMALLEST, scale))
}
