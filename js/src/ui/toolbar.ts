/** The tools on the left and the bar above: layers, brush size, undo, zoom, the drawers. */

import type { Stage } from "../canvas/stage"
import { LARGEST_BRUSH, type ViewState } from "../canvas/viewstate"
import type { Layer } from "../document/pair"
import { onChange } from "../document/signal"
import { button, el, listen, setEnabled, setPressed, setText } from "../dom/elements"
import type { WidgetModel } from "../model/widgetmodel"
import type { Actions } from "./actions"

/** The tools on the left. */
export function toolRail(
  state: ViewState,
  widget: WidgetModel,
  actions: Actions,
  signal: AbortSignal,
): HTMLElement {
  const buttons = state.tools.map((tool) => {
    const node = button({
      label: tool.label,
      icon: tool.icon,
      title: `${tool.label} (${tool.key.toUpperCase()})`,
      signal,
      act: () => actions.choose(tool.id),
    })
    return { tool, node }
  })
  const update = () => {
    for (const { tool, node } of buttons) {
      setPressed(node, state.tool === tool)
      setEnabled(node, widget.picture !== null && !widget.readOnly)
    }
  }
  onChange([widget, state], update, signal)
  update()
  const parts = buttons.map(({ node }) => node)
  return el("div", { class: "rd-rail", role: "group", "aria-label": "Tools" }, ...parts)
}

const LAYERS: readonly { layer: Layer; label: string; title: string }[] = [
  { layer: "handle", label: "Handle", title: "Paint what should move (T)" },
  { layer: "target", label: "Target", title: "Paint where it should go (T)" },
  { layer: "protect", label: "Protect", title: "Paint what must not change (K)" },
]

/** The bar above the picture; `open` opens the file picker. */
export function topBar(
  state: ViewState,
  widget: WidgetModel,
  stage: Stage,
  actions: Actions,
  open: () => void,
  signal: AbortSignal,
): HTMLElement {
  const layers = LAYERS.map(({ layer, label, title }) => {
    const node = button({ text: label, title, signal, act: () => actions.chooseLayer(layer) })
    node.classList.add("rd-layer-button", `rd-${layer}`)
    return { layer, node }
  })
  const size = el("input", {
    type: "range",
    min: 0,
    max: 100,
    step: 1,
    "aria-label": "Brush size",
    title: "Brush size ([ and ])",
    class: "rd-range",
  })
  const sizeText = el("span", { class: "rd-number", "aria-hidden": "true" })
  // The slider is logarithmic: small brushes need finer steps.
  listen(size, "input", () => state.resizeBrush(LARGEST_BRUSH ** (Number(size.value) / 100)), signal)

  const pieces = button({
    text: "Pieces",
    title: "A drag paints over pieces",
    signal,
    act: () => state.set({ boxes: false }),
  })
  const box = button({
    text: "Box",
    title: "A drag draws a box around a thing",
    signal,
    act: () => state.set({ boxes: true }),
  })
  const tolerance = el("input", {
    type: "range",
    min: 0,
    max: 128,
    class: "rd-range",
    "aria-label": "Tolerance of the wand",
  })
  listen(tolerance, "input", () => state.set({ tolerance: Number(tolerance.value) }), signal)
  const contiguous = el("input", { type: "checkbox" })
  listen(contiguous, "change", () => state.set({ contiguous: contiguous.checked }), signal)
  const undo = button({
    label: "Undo",
    icon: "undo",
    title: "Undo (Ctrl+Z)",
    signal,
    act: () => actions.undo(),
  })
  const redo = button({
    label: "Redo",
    icon: "redo",
    title: "Redo (Ctrl+Shift+Z)",
    signal,
    act: () => actions.redo(),
  })
  const zoom = button({
    text: "100 %",
    title: "Show at 100 % (1)",
    signal,
    act: () => stage.full(),
  })
  zoom.classList.add("rd-zoom")
  const fit = button({ label: "Fit", icon: "fit", title: "Fit to view (0)", signal, act: () => stage.fit() })
  const dragPreview = button({
    label: "Preview",
    icon: "ghost",
    title: "Preview the moved pixels (W)",
    signal,
    act: () => state.set({ dragPreview: !state.dragPreview }),
  })
  const fullscreen = button({
    label: "Fullscreen",
    icon: "expand",
    title: "Fullscreen (Z)",
    signal,
    act: () => actions.fullscreen(),
  })
  listen(
    document,
    "fullscreenchange",
    () => setPressed(fullscreen, document.fullscreenElement?.contains(fullscreen) === true),
    signal,
  )
  const openPicture = button({
    label: "Open picture",
    icon: "open",
    title: "Open a picture; or drop or paste one",
    signal,
    act: open,
  })
  const settings = button({
    label: "Settings",
    icon: "gear",
    title: "Settings of the edit",
    signal,
    act: () => state.set({ settingsOpen: !state.settingsOpen }),
  })
  const help = button({
    label: "Help",
    icon: "help",
    title: "Keys and gestures (?)",
    signal,
    act: () => state.set({ helpOpen: !state.helpOpen }),
  })

  const update = () => {
    const still = widget.picture === null || widget.readOnly
    for (const { layer, node } of layers) {
      setPressed(node, state.layer === layer && !state.tool.drags)
      setEnabled(node, !still)
    }
    setEnabled(undo, !still && widget.canUndo)
    setEnabled(redo, !still && widget.canRedo)
    setEnabled(openPicture, !widget.readOnly)
    setPressed(dragPreview, state.dragPreview)
    settings.setAttribute("aria-expanded", String(state.settingsOpen))
    help.setAttribute("aria-expanded", String(state.helpOpen))
    const value = String(Math.round((100 * Math.log(state.brushSize)) / Math.log(LARGEST_BRUSH)))
    if (size.value !== value && document.activeElement !== size) size.value = value
    size.setAttribute("aria-valuetext", `${state.brushSize} pixels`)
    setText(sizeText, `${state.brushSize} px`)
    setText(zoom, `${Math.round(state.viewport.scale * 100)} %`)
    const brushes = state.tool.id === "brush" || state.tool.id === "eraser"
    sized.classList.toggle("rd-off", !brushes)
    sized.hidden = boxes.hidden = wand.hidden = true
    const options = { select: boxes, wand }[state.tool.id] ?? sized
    options.hidden = false
    setPressed(pieces, !state.boxes)
    setPressed(box, state.boxes)
    if (document.activeElement !== tolerance) tolerance.value = String(state.tolerance)
    tolerance.title = `A colour may differ by ${state.tolerance}`
    contiguous.checked = state.contiguous
  }
  const sized = el("label", { class: "rd-sized" }, size, sizeText)
  const boxes = el(
    "div",
    { class: "rd-group", role: "group", "aria-label": "What dragging selects" },
    pieces,
    box,
  )
  const wand = el(
    "div",
    { class: "rd-option" },
    el("label", { class: "rd-option" }, "Tolerance", tolerance),
    el(
      "label",
      { class: "rd-option", title: "Only the patch under the click, not the same colour elsewhere" },
      contiguous,
      "Connected",
    ),
  )
  onChange([widget, state], update, signal)
  update()
  return el(
    "div",
    { class: "rd-top" },
    el(
      "div",
      { class: "rd-group rd-layers", role: "group", "aria-label": "What is painted" },
      ...layers.map((l) => l.node),
    ),
    sized,
    boxes,
    wand,
    el("span", { class: "rd-gap" }),
    el("div", { class: "rd-group" }, undo, redo),
    el("div", { class: "rd-group" }, fit, zoom, dragPreview, fullscreen),
    el("div", { class: "rd-group" }, openPicture, settings, help),
  )
}
