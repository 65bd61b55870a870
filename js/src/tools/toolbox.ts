/** All the tools. To add one, write its file and list it here. */
import { Brush } from "./brush"
import { Ellipse } from "./ellipse"
import { Eraser } from "./eraser"
import { Lasso } from "./lasso"
import { MagneticLasso } from "./magnetic"
import { Move } from "./move"
import { Pins } from "./pins"
import { Polygon } from "./polygon"
import { Rectangle } from "./rectangle"
import { Select } from "./select"
import type { Tool } from "./tool"
import { Wand } from "./wand"

/** New tools for one view, in the order of the buttons; the first is the one in hand at the start. */
export function newTools(): [Tool, ...Tool[]] {
  return [
    new Select(),
    new Wand(),
    new Brush(),
    new Eraser(),
    new Lasso(),
    new MagneticLasso(),
    new Polygon(),
    new Rectangle(),
    new Ellipse(),
    new Move(),
    new Pins(),
  ]
}

/** The tools' identifiers by the letters that choose them. */
export const TOOL_KEYS: ReadonlyMap<string, string> = new Map(newTools().map(({ key, id }) => [key, id]))
