/** Pictures as the kernel sends them, decoded for drawing. */
export interface Picture {
  readonly image: ImageBitmap
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly mime: string
  readonly width: number
  readonly height: number
  /** Whether parts of it may be transparent. */
  readonly alpha: boolean
}

/** Decodes bytes to a picture of the size the kernel states; throws where the browser cannot. */
export async function decodePicture(
  bytes: Uint8Array<ArrayBuffer>,
  mime: string,
  width: number,
  height: number,
  alpha = false,
): Promise<Picture> {
  const image = await createImageBitmap(new Blob([bytes], { type: mime }))
  return { image, bytes, mime, width: width || image.width, height: height || image.height, alpha }
}

/** The largest message part sent for a picture; notebook servers close the socket above ten mebibytes. */
export const PART = 8 * 1024 * 1024
export const LARGEST_FILE = 64 * 1024 * 1024

export function partsOf(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const parts: Uint8Array<ArrayBuffer>[] = []
  for (let at = 0; at < bytes.length; at += PART) parts.push(bytes.slice(at, at + PART))
  return parts
}
