/** Checks a file before anything is asked or sent: is it a picture that can be read? */

/** The first bytes of formats that the kernel reads and some browsers do not: TIFF in both byte orders, JPEG 2000. */
const OTHERS: readonly (readonly number[])[] = [
  [0x49, 0x49, 0x2a, 0x00],
  [0x4d, 0x4d, 0x00, 0x2a],
  [0x00, 0x00, 0x00, 0x0c, 0x6a, 0x50],
]

/** Whether the file holds a picture, whatever its name says. */
export async function isPicture(file: Blob): Promise<boolean> {
  try {
    const image = await createImageBitmap(file, { resizeWidth: 1, resizeHeight: 1 })
    image.close()
    return true
  } catch {
    const head = new Uint8Array(
      await file
        .slice(0, 8)
        .arrayBuffer()
        .catch(() => new ArrayBuffer(0)),
    )
    return OTHERS.some((magic) => magic.every((byte, i) => head[i] === byte))
  }
}
