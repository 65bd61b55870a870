/** Pictures from the kernel, decoded so that they can be drawn. */

/** A decoded picture. */
export interface Picture {
  readonly image: ImageBitmap
  /** The file it was decoded from. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Its size as the kernel counts it, which may differ from that of `image`. */
  readonly width: number
  readonly height: number
  /** Whether parts of it may be transparent. */
  readonly alpha: boolean
}

/** A picture to be decoded. */
export interface PictureSource {
  /** Equal for equal pictures. */
  readonly key: string
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly mime: string
  /** Its size as the kernel says; 0 takes the file's own. */
  readonly width: number
  readonly height: number
  readonly alpha: boolean
}

/** Holds the newest of the pictures that arrive; the one before stays until it has been decoded. */
export class PictureSlot {
  /** The newest picture that has been decoded, or null. */
  picture: Picture | null = null
  private key = ""

  /** Decodes a picture. Resolves to true if it replaced the one before; rejects if it cannot be decoded. */
  async take({ key, bytes, mime, width, height, alpha }: PictureSource): Promise<boolean> {
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
    // While it was decoded, a newer one may have come, or the slot may have been cleared.
    if (this.key !== key) {
      image.close()
      return false
    }
    this.picture?.image.close()
    this.picture = { image, bytes, width: width || image.width, height: height || image.height, alpha }
    return true
  }

  /** Drops the picture, and any that is being decoded. */
  clear(): void {
    this.key = ""
    this.picture?.image.close()
    this.picture = null
  }
}
