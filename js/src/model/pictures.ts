/** Pictures from the kernel, decoded for drawing; and files for the kernel, in parts it can take. */

import { newId } from "../document/regions"
import type { Host } from "../kernel/host"

export interface Picture {
  readonly image: ImageBitmap
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly width: number
  readonly height: number
  /** Whether parts of it may be transparent. */
  readonly alpha: boolean
}

export interface Source {
  /** Equal for equal pictures. */
  readonly key: string
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly mime: string
  /** What the kernel says of its size; 0 takes the file's own. */
  readonly width: number
  readonly height: number
  readonly alpha: boolean
}

/** Holds the newest of the pictures that arrive; the one before stays until it has decoded. */
export class Slot {
  picture: Picture | null = null
  private key = ""

  /** True when the picture is another one now; throws where the browser cannot decode it. */
  async take({ key, bytes, mime, width, height, alpha }: Source): Promise<boolean> {
    if (key === this.key) return false
    const before = this.key
    this.key = key
    let image: ImageBitmap
    try {
      image = await createImageBitmap(new Blob([bytes], { type: mime }))
    } catch (error) {
      if (this.key === key) this.key = before
      throw error
    }
    // While it decoded, a newer one may have come, or the slot may have been cleared.
    if (this.key !== key) {
      image.close()
      return false
    }
    this.picture?.image.close()
    this.picture = { image, bytes, width: width || image.width, height: height || image.height, alpha }
    return true
  }

  clear(): void {
    this.key = ""
    this.picture?.image.close()
    this.picture = null
  }
}

/**
 * The picture that the traits tell of, its revision and its name; null where
 * there is none, or where its bytes are missing and are asked for.
 */
export function sourceFrom(
  host: Host,
  given: Uint8Array<ArrayBuffer> | undefined,
): { source: Source; rev: string; name: string } | null {
  const info = host.record("_image_info")
  const side = (value: unknown) => (typeof value === "number" && value > 0 ? Math.round(value) : 0)
  const [width, height] = [side(info.width), side(info.height)]
  if (width === 0) return null
  const bytes = given ?? host.bytes("_image")
  if (!bytes) {
    host.send("need", { what: "image" })
    return null
  }
  const rev = `${String(info.rev)}/${width}x${height}`
  const mime = typeof info.mime === "string" ? info.mime : "image/png"
  const source = { key: `${rev}/${bytes.length}`, bytes, mime, width, height, alpha: info.alpha === true }
  return { source, rev, name: typeof info.name === "string" ? info.name : "" }
}

/** The largest part of a file in one message; notebook servers close the socket above ten mebibytes. */
const PART = 8 * 1024 * 1024
export const LARGEST_FILE = 64 * 1024 * 1024

/** Sends a picture file to the kernel; rejects where the file cannot be read. */
export async function upload(host: Host, file: File): Promise<void> {
  const bytes = new Uint8Array(await file.arrayBuffer())
  const fields = { name: file.name, mime: file.type }
  if (bytes.length <= PART) {
    host.send("load", fields, [bytes])
    return
  }
  const id = newId()
  const parts = Math.ceil(bytes.length / PART)
  for (let part = 0; part < parts; part++) {
    const piece = bytes.slice(part * PART, (part + 1) * PART)
    host.send("load", { ...fields, part, parts, upload: id }, [piece])
  }
}
