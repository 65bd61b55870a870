import { afterEach, beforeEach, vi } from "vitest"
import { addPair, withMask, withMatrix } from "../../src/document/regions"
import { translation } from "../../src/geometry/matrix"
import { WidgetModel } from "../../src/model/widgetmodel"
import { FakeModel } from "../fakemodel"
import { disc } from "../masks"

export const [W, H] = [32, 24]
export const info = { width: W, height: H, mime: "image/png", rev: 1, name: "cup.png", alpha: false }
export const png = Uint8Array.from([137, 80, 78, 71])
let models: WidgetModel[] = []

/** A browser without pictures and a clock that stands, for every test of the file. */
export function standIns(): void {
  beforeEach(() => {
    vi.useFakeTimers()
    models = []
    vi.stubGlobal("createImageBitmap", async () => ({ width: W, height: H, close: () => {} }))
    vi.stubGlobal("requestAnimationFrame", () => 0)
    vi.spyOn(console, "warn").mockImplementation(() => {})
  })
  afterEach(() => {
    for (const widget of models) widget.close()
    vi.useRealTimers()
    vi.unstubAllGlobals()
    vi.restoreAllMocks()
  })
}

/** A widget over a fake model, its picture loaded. */
export async function open(state: Record<string, unknown> = {}) {
  const model = new FakeModel({
    _image: png,
    _image_info: info,
    _pairs: [],
    _masks: {},
    _regions_rev: 0,
    _selected: -1,
    _state: { state: "ready", run: 4 },
    settings: {},
    ...state,
  })
  const widget = new WidgetModel(model)
  models.push(widget)
  await vi.advanceTimersByTimeAsync(0)
  return { model, widget, sent: (type: string) => model.sent.filter((m) => m.content.type === type) }
}

/** A complete pair: a disc dragged ten pixels to the right. */
export function drawPair(widget: WidgetModel) {
  const drawn = withMask(addPair(widget.store.regions), 0, "handle", disc(W, H, 8, 12, 4))
  widget.store.commit(withMatrix(drawn, 0, translation(10, 0)))
}

export const result = (run: number) => ({
  _result: png,
  _result_info: { id: `r${run}`, run, seed: 3, seconds: 2, width: W, height: H, settings: {} },
})
