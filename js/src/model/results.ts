/** The newest result as traits tell of it, and the list of earlier ones. */
import type { Host } from "../kernel/host"
import { type Picture, Slot } from "./pictures"

export interface ResultInfo {
  readonly id: string
  readonly run: number
  readonly seed: number
  readonly seconds: number
}

export interface Entry {
  readonly id: string
  readonly seed: number
  readonly seconds: number
  readonly label: string
}

export class Results {
  info: ResultInfo | null = null
  private readonly slot = new Slot()

  constructor(private readonly host: Host) {}

  get picture(): Picture | null {
    return this.slot.picture
  }

  get history(): Entry[] {
    return this.host.list("_history").flatMap((value) => {
      const entry = value as Record<string, unknown> | null
      if (!entry || typeof entry.id !== "string") return []
      const label = typeof entry.label === "string" ? entry.label : ""
      return [{ id: entry.id, seed: number(entry, "seed"), seconds: number(entry, "seconds"), label }]
    })
  }

  /** What the traits hold now: "none", "fresh" once it has decoded, "same" as before. Throws where it cannot be decoded. */
  async load(given?: Uint8Array<ArrayBuffer>): Promise<"none" | "fresh" | "same"> {
    const info = this.host.record("_result_info")
    if (typeof info.id !== "string") {
      this.forget()
      return "none"
    }
    const bytes = given ?? this.host.bytes("_result")
    if (!bytes) {
      this.host.send("need", { what: "result", result: info.id })
      return "same"
    }
    const alpha = this.host.record("_image_info").alpha === true
    const source = { key: `${info.id}/${bytes.length}`, bytes, mime: "image/png", width: 0, height: 0, alpha }
    if (!(await this.slot.take(source))) return "same"
    const [run, seed, seconds] = [number(info, "run"), number(info, "seed"), number(info, "seconds")]
    this.info = { id: info.id, run, seed, seconds }
    return "fresh"
  }

  forget(): void {
    this.slot.clear()
    this.info = null
  }
}

function number(record: Record<string, unknown>, key: string): number {
  return typeof record[key] === "number" ? (record[key] as number) : 0
}
