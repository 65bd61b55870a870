/** Sends picture files to the kernel, in parts that a notebook server lets through. */
import { newId } from "../document/pair"
import type { Host } from "./host"

/** The largest part of a file in one message; notebook servers close the socket above ten mebibytes. */
const PART = 8 * 1024 * 1024

/** Files above this many bytes are refused. */
export const LARGEST_FILE = 64 * 1024 * 1024

/** Sends a picture file to the kernel. Rejects if the file cannot be read. */
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
