/** Checks a file before anything is asked or sent: is it a picture that can be read and edited? */

/** Pixels that a picture's shorter side has at least: `MIN_SIDE` in `regions/limits.py`. */
export const LEAST_SIDE = 64

/** What is wrong with a file that is something else. */
export const NOT_A_PICTURE = "This file is not a picture."

/** The first bytes of formats that the kernel reads and some browsers do not: TIFF in both byte orders, JPEG 2000. */
const OTHERS: readonly (readonly number[])[] = [
  [0x49, 0x49, 0x2a, 0x00],
  [0x4d, 0x4d, 0x00, 0x2a],
  [0x00, 0x00, 0x00, 0x0c, 0x6a, 0x50],
]

/** Why the file cannot be opened, whatever its name says; empty if it can. */
export async function flawOf(file: Blob): Promise<string> {
  try {
    const image = await createImageBitmap(file)
    const { width, height } = image
    image.close()
    const small = Math.min(width, height) < LEAST_SIDE
    return small ? `This picture is too small: ${width} x ${height} px.` : ""
  } catch {
    const head = new Uint8Array(
      await file
        .slice(0, 8)
        .arrayBuffer()
        .catch(() => new ArrayBuffer(0)),
    )
    const known = OTHERS.some((magic) => magic.every((byte, i) => head[i] === byte))
    return known ? "" : NOT_A_PICTURE
  }
}
