/** The newest result, as the traits describe it, and the list of earlier ones. */
import type { Host } from "../kernel/host"
import type { HistoryEntry, ResultInfo } from "../kernel/messages"
import { type Picture, PictureSlot } from "./pictures"

/** Loads the newest result whenever its traits change. */
export class Results {
  /** What the kernel says about the result that is held; null if there is none. */
  info: ResultInfo | null = null
  private readonly slot = new PictureSlot()

  constructor(private readonly host: Host) {}

  /** The newest result, or null. */
  get picture(): Picture | null {
    return this.slot.picture
  }

  /** The results that can be brought back, oldest first. */
  get history(): readonly HistoryEntry[] {
    return this.host.get("_history")
  }

  /** Thumbnails of the history by result id; JPEG in any kind of bytes. */
  get thumbnails(): Readonly<Record<string, unknown>> {
    return this.host.get("_thumbs")
  }

  /**
   * Reads the traits and decodes the result; `bytes` are those that were asked for. Resolves to "new" once another
   * result is there, "gone" if there is none, "same" otherwise. Rejects if it cannot be decoded.
   */
  async load(bytes: Uint8Array<ArrayBuffer> | null = null): Promise<"new" | "gone" | "same"> {
    const info = this.host.get("_result_info")
    if (!info) {
      this.forget()
      return "gone"
    }
    const file = bytes ?? this.host.get("_result")
    if (!file) {
      this.host.send("need", { what: "result", result: info.id })
      return "same"
    }
    const { alpha } = this.host.get("_image_info")
    const source = {
      key: `${info.id}/${file.length}`,
      bytes: file,
      mime: "image/png",
      width: 0,
      height: 0,
      alpha,
    }
    if (!(await this.slot.take(source))) return "same"
    this.info = info
    return "new"
  }

  /** Drops the result. */
  forget(): void {
    this.slot.clear()
    this.info = null
  }
}
