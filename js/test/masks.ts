import { eachRun, type Mask, MaskBuffer } from "../src/geometry/mask"
import type { Span } from "../src/geometry/raster"

/** A mask from rows of text: `#` is set, anything else clear. */
export function maskOf(...rows: string[]): Mask {
  const buffer = new MaskBuffer(rows[0]?.length ?? 0, rows.length)
  rows.forEach((row, y) => {
    ;[...row].forEach((c, x) => {
      if (c === "#") buffer.span(y, x, x)
    })
  })
  return buffer.toMask()
}

/** The mask as rows of text, for readable failures. */
export function textOf(mask: Mask): string[] {
  const rows = Array.from({ length: mask.height }, () => Array<string>(mask.width).fill("."))
  eachRun(mask, (y, first, last) => rows[y]?.fill("#", first, last + 1))
  return rows.map((row) => row.join(""))
}

/** What a fill draws on a picture of the given size. */
export function drawn(width: number, height: number, fill: (span: Span) => void): Mask {
  const buffer = new MaskBuffer(width, height)
  fill((y, first, last) => buffer.span(y, first, last))
  return buffer.toMask()
}

export function disc(width: number, height: number, cx: number, cy: number, r: number): Mask {
  return drawn(width, height, (span) => {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) if ((x - cx) ** 2 + (y - cy) ** 2 <= r * r) span(y, x, x)
    }
  })
}
