/** The anywidget module: one `WidgetModel` per widget, one view per displayed cell. Wiring only. */
import type { HostModel } from "./kernel/host"
import { WidgetModel } from "./model/widgetmodel"
import "./ui/styles/index.css"
import { openView } from "./ui/view"

/** What anywidget passes. */
interface Context {
  readonly model: HostModel
  /** Newer hosts pass one; older ones rely on the clean-up function alone. */
  readonly signal?: AbortSignal
}

export default () => {
  let widget: WidgetModel | null = null
  const widgetOf = (model: HostModel) => {
    widget ??= new WidgetModel(model)
    return widget
  }
  return {
    initialize({ model }: Context) {
      const opened = widgetOf(model)
      return () => {
        opened.close()
        widget = null
      }
    },
    render({ model, el }: Context & { readonly el: HTMLElement }) {
      return openView(widgetOf(model), el)
    },
  }
}
