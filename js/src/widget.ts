/** The anywidget module: one session a model, one view a displayed cell. Wiring only. */
import type { HostModel } from "./kernel/host"
import { Session } from "./model/widgetmodel"
import "./ui/styles.css"
import { openView } from "./ui/view"

interface Context {
  readonly model: HostModel
  /** Newer hosts pass one; older ones rely on the clean-up function alone. */
  readonly signal?: AbortSignal
}

export default () => {
  let session: Session | null = null
  const sessionOf = (model: HostModel) => {
    session ??= new Session(model)
    return session
  }
  return {
    initialize({ model }: Context) {
      const opened = sessionOf(model)
      return () => {
        opened.close()
        session = null
      }
    },
    render({ model, el }: Context & { readonly el: HTMLElement }) {
      return openView(sessionOf(model), el)
    },
  }
}
