/** How handles go: reading the kernel's lattices. */
import type { Mesh } from "../geometry/mesh"
import { bytesOf } from "../kernel/fields"
import type { Buffers } from "../kernel/host"
import type { KernelMessage } from "../kernel/messages"

/** Cells of a lattice at most, each way: the kernel sends fewer. */
const MOST_CELLS = 256

/** The mesh in a `mapped` message, whose target is a regular lattice; null if it cannot be read. */
export function meshIn(message: KernelMessage<"mapped">, buffers: Buffers): Mesh | null {
  const { columns, rows, edges } = message
  const sound = (cells: number) => cells >= 1 && cells <= MOST_CELLS
  const bytes = bytesOf(buffers[0])
  const count = 2 * (columns + 1) * (rows + 1)
  if (!sound(columns) || !sound(rows) || bytes?.byteLength !== 4 * count) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const source = Float64Array.from({ length: count }, (_, i) => view.getFloat32(4 * i, true))
  if (!source.every(Number.isFinite)) return null
  const [left, top, right, bottom] = edges
  const target = Float64Array.from({ length: count }, (_, i) => {
    const vertex = i >> 1
    const along = (vertex % (columns + 1)) / columns
    const down = Math.floor(vertex / (columns + 1)) / rows
    return i % 2 === 0 ? left + (right - left) * along : top + (bottom - top) * down
  })
  return { columns, rows, source, target }
}
