/**
 * RDM1, the format of masks on the wire; `regiondrag_widget/regions/codec.py` is its twin.
 *
 * `RDM1`, then little-endian u32 width, height, x0, y0, box width, box height, then the bounding box's packed
 * bits (rows padded to a byte, first pixel in the highest bit) compressed with zlib.
 */
import { emptyMask, type Mask, stride } from "../geometry/mask"
import type { Size } from "../geometry/viewport"
import { unzlib, zlib } from "./zlib"

const MAGIC = [0x52, 0x44, 0x4d, 0x31]
const HEADER = 4 + 6 * 4
const LARGEST_SIDE = 1 << 15

const encoded = new WeakMap<Mask, Uint8Array<ArrayBuffer>>()
const decoded = new WeakMap<Uint8Array, Mask>()

/** The mask's bytes, in an array that owns its whole buffer; the same mask gives the same array. */
export function encodeMask(mask: Mask): Uint8Array<ArrayBuffer> {
  const known = encoded.get(mask)
  if (known) return known
  const body = zlib(mask.bits)
  const bytes = new Uint8Array(HEADER + body.length)
  bytes.set(MAGIC)
  const view = new DataView(bytes.buffer)
  const fields = [mask.width, mask.height, mask.x0, mask.y0, mask.w, mask.h]
  fields.forEach((value, i) => {
    view.setUint32(4 + 4 * i, value, true)
  })
  bytes.set(body, HEADER)
  encoded.set(mask, bytes)
  decoded.set(bytes, mask)
  return bytes
}

/** The size that a mask's bytes are for; none if they are too few. */
export function encodedSize(bytes: Uint8Array): Size {
  if (bytes.length < HEADER) return { width: 0, height: 0 }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { width: view.getUint32(4, true), height: view.getUint32(8, true) }
}

/** Reads a mask for a picture of this size. Throws an Error that says what is wrong with the bytes. */
export function decodeMask(bytes: Uint8Array, width: number, height: number): Mask {
  const known = decoded.get(bytes)
  if (known && known.width === width && known.height === height) return known
  if (bytes.length < HEADER || MAGIC.some((b, i) => bytes[i] !== b)) throw new Error("not an RDM1 mask")
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [W, H, x0, y0, w, h] = [0, 1, 2, 3, 4, 5].map((i) => view.getUint32(4 + 4 * i, true)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  if (W !== width || H !== height) {
    throw new Error(`the mask is ${W} x ${H}, the picture ${width} x ${height}`)
  }
  if (W > LARGEST_SIDE || H > LARGEST_SIDE || x0 + w > W || y0 + h > H) {
    throw new Error("the mask's box lies outside the picture")
  }
  if (W === 0 || H === 0 || (w === 0) !== (h === 0)) throw new Error("the mask or its box has no size")
  const size = stride(w) * h
  const bits = unzlib(bytes.subarray(HEADER), size)
  if (bits.every((byte) => byte === 0)) return emptyMask(width, height)
  const mask = { width, height, x0, y0, w, h, bits }
  decoded.set(bytes, mask)
  return mask
}
