/** The picture that is edited, as the traits describe it. */
import type { Host } from "../kernel/host"
import type { Trait } from "../kernel/messages"
import { type Picture, PictureSlot } from "./pictures"

/** Loads the picture that is edited whenever its traits change. */
export class Original {
  /** The picture's file name, or empty. */
  name = ""
  private readonly slot = new PictureSlot()
  private rev = ""
  /** The picture that could not be decoded. */
  private refused = ""

  constructor(private readonly host: Host) {}

  /** The picture, or null before there is one. */
  get picture(): Picture | null {
    return this.slot.picture
  }

  /** Whether the traits tell of another picture than the one that is shown, and it may still come. */
  get isBehind(): boolean {
    const told = revOf(this.host.get("_image_info"))
    return this.picture !== null && told !== this.rev && told !== this.refused
  }

  /**
   * Reads the traits and decodes the picture; `bytes` are those that were asked for. Resolves to "new" for another
   * picture, "resent" for the same one sent again, "none" if nothing has changed. Rejects if it cannot be decoded.
   */
  async load(bytes: Uint8Array<ArrayBuffer> | null = null): Promise<"new" | "resent" | "none"> {
    const info = this.host.get("_image_info")
    const { mime, alpha, name } = info
    const [width, height] = [Math.round(info.width), Math.round(info.height)]
    if (width <= 0) return "none"
    const file = bytes ?? this.host.get("_image")
    if (!file) {
      this.host.send("need", { what: "image" })
      return "none"
    }
    const rev = revOf(info)
    const source = { key: `${rev}/${file.length}`, bytes: file, mime, width, height, alpha }
    const taken = await this.slot.take(source).catch((error) => {
      this.refused = rev
      throw error
    })
    if (!taken) return "none"
    const before = this.rev
    this.name = name
    this.rev = rev
    return rev === before ? "resent" : "new"
  }

  /** Drops the picture. */
  close(): void {
    this.slot.clear()
  }
}

/** What tells one picture from another. */
function revOf({ rev, width, height }: Trait<"_image_info">): string {
  return `${String(rev)}/${Math.round(width)}x${Math.round(height)}`
}
