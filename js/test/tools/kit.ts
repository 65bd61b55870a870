import { vi } from "vitest"
import type { Layer } from "../../src/document/pair"
import { emptyRegions } from "../../src/document/regions"
import { RegionStore } from "../../src/document/store"
import { emptyMask } from "../../src/geometry/mask"
import type { Tool, ToolContext, ToolEvent } from "../../src/tools/tool"

export const [W, H] = [60, 40]
type Held = Partial<Omit<ToolEvent, "x" | "y">>

/** A store, what a tool is given of it, and a hand that drags. */
export function setUp(layer: Layer = "handle") {
  const store = new RegionStore()
  store.reset(emptyRegions(W, H))
  const context: ToolContext = {
    store,
    layer,
    brushSize: 10,
    viewport: { scale: 1, x: 0, y: 0 },
    area: { width: 10 * W, height: 10 * H },
    select: { ask: vi.fn(async () => null), isAsking: () => false },
    boxes: false,
    tolerance: 32,
    contiguous: true,
    outline: vi.fn(),
    notify: vi.fn(),
  }
  const at = (x: number, y: number, held: Held = {}): ToolEvent => ({
    x,
    y,
    shift: false,
    alt: false,
    ctrl: false,
    secondary: false,
    pressure: 1,
    ...held,
  })
  const drag = (tool: Tool, points: [number, number][], held: Held = {}) => {
    const [first, ...rest] = points as [[number, number], ...[number, number][]]
    tool.press(at(...first, held), context)
    for (const point of rest) tool.drag([at(...point, held)], context)
    tool.release(at(...(points.at(-1) ?? first), held), context)
  }
  const handle = () => store.regions.pairs[store.regions.selected]?.handle ?? emptyMask(W, H)
  return { store, context, at, drag, handle }
}
