/** Masks: sets of pixels of the picture, as packed bits. */
import { once } from "./once"

/**
 * A region of the picture: the packed bits of its bounding box, at the picture's own resolution. Immutable.
 *
 * Rows are padded to a byte and the first pixel is the highest bit. The codec stores the same bytes, so a mask takes
 * an eighth of a byte per pixel in the undo history and is never packed again to be sent.
 */
export interface Mask {
  readonly width: number
  readonly height: number
  /** The bounding box: its first column and row, its size; all zero for an empty mask. */
  readonly x0: number
  readonly y0: number
  readonly w: number
  readonly h: number
  readonly bits: Uint8Array
}

/** A rectangle of pixels. */
export interface Box {
  readonly x0: number
  readonly y0: number
  /** One past the last column and row. */
  readonly x1: number
  readonly y1: number
}

/** A mask with no pixel set. */
export function emptyMask(width: number, height: number): Mask {
  return { width, height, x0: 0, y0: 0, w: 0, h: 0, bits: new Uint8Array(0) }
}

/** Whether no pixel is set. */
export function isEmpty(mask: Mask): boolean {
  return mask.w === 0
}

/** Whether pixel (x, y) is set; false outside the picture. */
export function has(mask: Mask, x: number, y: number): boolean {
  const dx = x - mask.x0
  const dy = y - mask.y0
  if (dx < 0 || dy < 0 || dx >= mask.w || dy >= mask.h) return false
  const byte = mask.bits[dy * stride(mask.w) + (dx >> 3)] ?? 0
  return ((byte >> (7 - (dx & 7))) & 1) === 1
}

/** Bytes of a row of `w` pixels. */
export function stride(w: number): number {
  return (w + 7) >> 3
}

/** Calls `run(y, first, last)` for every horizontal run of set pixels, top to bottom, left to right. */
export function eachRun(mask: Mask, run: (y: number, first: number, last: number) => void): void {
  const bytes = stride(mask.w)
  for (let row = 0; row < mask.h; row++) {
    let start = -1
    for (let col = 0; col < mask.w; ) {
      const byte = mask.bits[row * bytes + (col >> 3)] ?? 0
      if ((col & 7) === 0 && col + 8 <= mask.w && (byte === 0 || byte === 255)) {
        if (byte === 255 && start < 0) start = col
        if (byte === 0 && start >= 0) {
          run(mask.y0 + row, mask.x0 + start, mask.x0 + col - 1)
          start = -1
        }
        do col += 8
        while (col + 8 <= mask.w && mask.bits[row * bytes + (col >> 3)] === byte)
        continue
      }
      const set = (byte >> (7 - (col & 7))) & 1
      if (set && start < 0) start = col
      if (!set && start >= 0) {
        run(mask.y0 + row, mask.x0 + start, mask.x0 + col - 1)
        start = -1
      }
      col++
    }
    if (start >= 0) run(mask.y0 + row, mask.x0 + start, mask.x0 + mask.w - 1)
  }
}

/** The mask of horizontal runs: y, first and last column in turn, inside the picture, which may overlap. */
export function maskOfRuns(width: number, height: number, runs: readonly number[]): Mask {
  let [x0, y0, x1, y1] = [width, height, -1, -1]
  eachOf(runs, (y, first, last) => {
    if (first < x0) x0 = first
    if (last > x1) x1 = last
    if (y < y0) y0 = y
    if (y > y1) y1 = y
  })
  if (x1 < 0) return emptyMask(width, height)
  const [w, h] = [x1 - x0 + 1, y1 - y0 + 1]
  const bits = new Uint8Array(stride(w) * h)
  const row = stride(w) * 8
  eachOf(runs, (y, first, last) => {
    const start = (y - y0) * row - x0
    putBits(bits, start + first, start + last, true)
  })
  return { width, height, x0, y0, w, h, bits }
}

/** The horizontal runs of a mask, as `maskOfRuns` takes them. */
export function runsOf(mask: Mask): number[] {
  const runs: number[] = []
  eachRun(mask, (y, first, last) => runs.push(y, first, last))
  return runs
}

function eachOf(runs: readonly number[], run: (y: number, first: number, last: number) => void): void {
  for (let i = 0; i < runs.length; i += 3)
    run(runs[i] as number, runs[i + 1] as number, runs[i + 2] as number)
}

/** The mask without the pixels of another. */
export function without(mask: Mask, other: Mask): Mask {
  const bits = mask.bits.slice()
  const row = stride(mask.w) * 8
  eachRun(other, (y, first, last) => {
    const from = Math.max(first - mask.x0, 0)
    const to = Math.min(last - mask.x0, mask.w - 1)
    if (y < mask.y0 || y >= mask.y0 + mask.h || from > to) return
    const start = (y - mask.y0) * row
    putBits(bits, start + from, start + to, false)
  })
  return maskOfRuns(mask.width, mask.height, runsOf({ ...mask, bits })) // its box may be smaller
}

/** Sets or clears the bits from..to, both included. */
function putBits(bits: Uint8Array, from: number, to: number, set: boolean): void {
  const [a, b] = [from >> 3, to >> 3]
  const [head, tail] = [0xff >> (from & 7), 0xff & (0xff80 >> (to & 7))]
  const put = (i: number, these: number) => {
    const byte = bits[i] as number
    bits[i] = set ? byte | these : byte & ~these
  }
  if (a === b) return put(a, head & tail)
  put(a, head)
  bits.fill(set ? 0xff : 0, a + 1, b)
  put(b, tail)
}

/** How many pixels are set. */
export function area(mask: Mask): number {
  let sum = 0
  eachRun(mask, (_y, first, last) => {
    sum += last - first + 1
  })
  return sum
}

/** The mean of the set pixels' centres, or null for an empty mask; worked out once for each mask. */
export const centroid = once((mask: Mask): { x: number; y: number } | null => {
  let n = 0
  let sx = 0
  let sy = 0
  eachRun(mask, (y, first, last) => {
    const length = last - first + 1
    n += length
    sx += (length * (first + last)) / 2
    sy += length * y
  })
  return n ? { x: sx / n, y: sy / n } : null
})

/** Whether both have the same pixels set, in pictures of the same size. */
export function sameMask(a: Mask, b: Mask): boolean {
  if (a === b) return true
  if (a.width !== b.width || a.height !== b.height || a.x0 !== b.x0 || a.y0 !== b.y0) return false
  if (a.w !== b.w || a.h !== b.h || a.bits.length !== b.bits.length) return false
  for (let i = 0; i < a.bits.length; i++) if (a.bits[i] !== b.bits[i]) return false
  return true
}

/** The mask moved by whole pixels; what leaves the picture is cut off. */
export function shifted(mask: Mask, dx: number, dy: number): Mask {
  const x0 = mask.x0 + dx
  const y0 = mask.y0 + dy
  if (x0 >= 0 && y0 >= 0 && x0 + mask.w <= mask.width && y0 + mask.h <= mask.height) {
    return isEmpty(mask) ? mask : { ...mask, x0, y0 }
  }
  const buffer = new MaskBuffer(mask.width, mask.height)
  eachRun(mask, (y, first, last) => buffer.span(y + dy, first + dx, last + dx))
  return buffer.toMask()
}

/** A mask being painted: a byte per pixel, and the rectangle that has changed since it was last asked for. */
export class MaskBuffer {
  readonly data: Uint8Array
  private dirty: Box | null = null
  private reach: Box | null = null

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.data = new Uint8Array(width * height)
  }

  /** A buffer that begins with a mask. */
  static from(mask: Mask): MaskBuffer {
    const buffer = new MaskBuffer(mask.width, mask.height)
    eachRun(mask, (y, first, last) => buffer.span(y, first, last))
    buffer.takeDirty()
    return buffer
  }

  /** Sets (value 1) or clears (value 0) the pixels first..last of row y; parts outside the picture are ignored. */
  span(y: number, first: number, last: number, value: 0 | 1 = 1): void {
    if (y < 0 || y >= this.height) return
    const a = Math.max(0, first)
    const b = Math.min(this.width - 1, last)
    if (a > b) return
    this.data.fill(value, y * this.width + a, y * this.width + b + 1)
    this.dirty = grow(this.dirty, a, y, b, y)
    if (value) this.reach = grow(this.reach, a, y, b, y)
  }

  /** A rectangle that holds all that is set. */
  get extent(): Box | null {
    return this.reach
  }

  /** The rectangle that has changed since the last call, or null. */
  takeDirty(): Box | null {
    const box = this.dirty
    this.dirty = null
    return box
  }

  /** The mask as drawn so far. */
  toMask(): Mask {
    const runs: number[] = []
    const { x0, y0, x1, y1 } = this.reach ?? { x0: 0, y0: 0, x1: 0, y1: 0 }
    for (let y = y0; y < y1; y++) {
      const row = this.data.subarray(y * this.width + x0, y * this.width + x1)
      for (let first = row.indexOf(1); first >= 0; ) {
        const end = row.indexOf(0, first)
        const after = end < 0 ? row.length : end
        runs.push(y, x0 + first, x0 + after - 1)
        first = row.indexOf(1, after)
      }
    }
    return maskOfRuns(this.width, this.height, runs)
  }
}

function grow(box: Box | null, xa: number, ya: number, xb: number, yb: number): Box {
  if (!box) return { x0: xa, y0: ya, x1: xb + 1, y1: yb + 1 }
  return {
    x0: Math.min(box.x0, xa),
    y0: Math.min(box.y0, ya),
    x1: Math.max(box.x1, xb + 1),
    y1: Math.max(box.y1, yb + 1),
  }
}
