/** Selects what has about the colour of the place that is clicked. */
import { grabs } from "./grab"
import { combineBy, needs, take } from "./taking"
import type { Tool, ToolContext, ToolEvent } from "./tool"

/** The magic wand. */
export class Wand implements Tool {
  readonly id = "wand"
  readonly icon = "wand"
  readonly label = "Magic wand"
  readonly key = "u"
  readonly hint = "Click a colour. Shift adds, Alt takes away"
  readonly cursor = "crosshair"
  readonly taps = true
  readonly active = false

  press(event: ToolEvent, context: ToolContext): void {
    const { tolerance: amount, contiguous } = context
    const how = combineBy(event)
    void context.select
      .ask("wand", { points: [event], amount, contiguous, ...needs(context, how) })
      .then((found) => found && take(found.mask, how, context))
  }

  drag(): void {}

  release(): void {}

  cancel(): void {}

  grabs(event: ToolEvent, context: ToolContext): boolean {
    return grabs(event, context)
  }
}
