/** The shortcuts: what each key does, and the help sheet's text about it. */
import { newTools, TOOL_KEYS } from "../tools/toolbox"

/** A key press with its modifiers. */
export interface Chord {
  readonly key: string
  readonly ctrl: boolean
  readonly shift: boolean
  readonly alt: boolean
}

/** What a key or a button asks for. */
export type Command =
  | { readonly do: "tool"; readonly id: string }
  | { readonly do: "nudge"; readonly dx: number; readonly dy: number }
  | { readonly do: "brush"; readonly factor: number }
  | { readonly do: Simple }

/** Commands without arguments. */
export type Simple =
  | "swap"
  | "target"
  | "protect"
  | "undo"
  | "redo"
  | "fit"
  | "full"
  | "zoomIn"
  | "zoomOut"
  | "run"
  | "stop"
  | "next"
  | "previous"
  | "duplicate"
  | "copy"
  | "paste"
  | "delete"
  | "new"
  | "flipX"
  | "flipY"
  | "carry"
  | "copyInstead"
  | "removeInstead"
  | "fullscreen"
  | "dragPreview"
  | "compare"
  | "help"
  | "escape"
  | "enter"
  | "enterAdd"
  | "enterCut"
  | "backspace"
  | "hand"
  | "original"
  | "bare"

/** One row of the help sheet; two spaces separate alternative keys. */
export interface Shortcut {
  readonly keys: string
  readonly does: string
}

const PLAIN: Record<string, Simple> = {
  x: "swap",
  t: "target",
  k: "protect",
  n: "new",
  f: "flipX",
  a: "carry",
  z: "fullscreen",
  w: "dragPreview",
  "0": "fit",
  "1": "full",
  "+": "zoomIn",
  "=": "zoomIn",
  "-": "zoomOut",
  tab: "next",
  delete: "delete",
  backspace: "backspace",
  enter: "enter",
  escape: "escape",
  "?": "help",
  " ": "hand",
  h: "hand",
  c: "original",
  "\\": "bare",
  m: "bare",
}

const CONTROL: Record<string, Simple> = {
  z: "undo",
  y: "redo",
  enter: "run",
  d: "duplicate",
  c: "copy",
  v: "paste",
  "0": "fit",
  "1": "full",
}

const SHIFTED: Record<string, Simple> = {
  tab: "previous",
  enter: "enterAdd",
  f: "flipY",
  c: "compare",
  x: "stop",
  d: "copyInstead",
  delete: "removeInstead",
  "?": "help",
  "+": "zoomIn",
}

const ARROWS: Record<string, readonly [number, number]> = {
  arrowleft: [-1, 0],
  arrowright: [1, 0],
  arrowup: [0, -1],
  arrowdown: [0, 1],
}

/** What a key press on the canvas means; null leaves it to the browser and the notebook. */
export function commandOf(chord: Chord): Command | null {
  const key = chord.key.toLowerCase()
  const arrow = ARROWS[key]
  if (arrow && !chord.ctrl) {
    const step = chord.shift ? 10 : 1
    return { do: "nudge", dx: arrow[0] * step, dy: arrow[1] * step }
  }
  if (chord.ctrl) {
    if (chord.shift && key === "z") return { do: "redo" }
    const found = chord.shift ? undefined : CONTROL[key]
    return found ? { do: found } : null
  }
  if (chord.alt) return key === "enter" ? { do: "enterCut" } : null
  // With Shift, some keyboard layouts give a brace and others the bracket.
  if (key === "{" || (key === "[" && chord.shift)) return { do: "brush", factor: 0.5 }
  if (key === "}" || (key === "]" && chord.shift)) return { do: "brush", factor: 2 }
  if (key === "[") return { do: "brush", factor: 1 / 1.1 }
  if (key === "]") return { do: "brush", factor: 1.1 }
  const simple = chord.shift ? SHIFTED[key] : PLAIN[key]
  if (simple) return { do: simple }
  const tool = chord.shift ? undefined : TOOL_KEYS.get(key)
  return tool ? { do: "tool", id: tool } : null
}

/** The tools' rows, two tools to a row, from the list in `toolbox.ts`. */
function toolRows(): Shortcut[] {
  const tools = newTools()
  return tools.flatMap((tool, i) => {
    if (i % 2) return []
    const next = tools[i + 1]
    if (!next) return [{ keys: tool.key.toUpperCase(), does: tool.label }]
    return [
      {
        keys: `${tool.key}  ${next.key}`.toUpperCase(),
        does: `${tool.label}, ${next.label.toLowerCase()}`,
      },
    ]
  })
}

/** What the help sheet behind `?` shows, in the order of use. */
export const HELP_ROWS: readonly { readonly title: string; readonly rows: readonly Shortcut[] }[] = [
  {
    title: "Tools",
    rows: [
      ...toolRows(),
      { keys: "X", does: "Swap brush and eraser" },
      { keys: "[  ]", does: "Brush size; Shift doubles or halves; Alt+wheel" },
      { keys: "Right button", does: "Erase while any drawing tool is in hand" },
      { keys: "Shift", does: "Straight stroke, square, circle, 15° turn" },
      { keys: "Alt", does: "Subtract with a shape; scale about the middle; remove a pin" },
      { keys: "Ctrl", does: "Drag one corner of a region alone, in perspective" },
    ],
  },
  {
    title: "Regions",
    rows: [
      { keys: "T", does: "Paint the handle or the target" },
      { keys: "K", does: "Paint what must not change" },
      { keys: "N", does: "New pair" },
      {
        keys: "Tab  Shift+Tab",
        does: "Next, previous pair; after a click with Select, another thing it may mean",
      },
      { keys: "Arrows", does: "Nudge 1 px; Shift 10 px" },
      { keys: "F  Shift+F", does: "Flip across, flip upside down" },
      { keys: "A", does: "Carry the object, or all that is painted" },
      { keys: "Shift+D  Alt+drag", does: "Copy instead of moving" },
      { keys: "Shift+Delete", does: "Remove the object, fill its place" },
      { keys: "Ctrl+C  Ctrl+V", does: "Copy, paste a pair" },
      { keys: "Ctrl+D", does: "Duplicate the pair" },
      { keys: "Delete", does: "Delete the pair" },
    ],
  },
  {
    title: "View",
    rows: [
      { keys: "Ctrl+wheel", does: "Zoom at the pointer" },
      { keys: "Space or H", does: "Hold to pan; middle button pans too" },
      { keys: "0  1", does: "Fit, 100 %" },
      { keys: "Z", does: "Fullscreen" },
      { keys: "+  -", does: "Zoom in, out" },
      { keys: "W", does: "Preview the moved pixels" },
      { keys: "M or \\", does: "Hold to hide all regions" },
      { keys: "C", does: "Hold to see the original; Shift+C compares" },
    ],
  },
  {
    title: "Edit",
    rows: [
      { keys: "Ctrl+Enter", does: "Run" },
      { keys: "Shift+X", does: "Stop" },
      { keys: "Ctrl+Z  Ctrl+Shift+Z", does: "Undo, redo; an Accept too" },
      { keys: "Enter  Esc", does: "Close, cancel a polygon or a lasso" },
      { keys: "Enter", does: "A pointer for the keys: arrows move it, Enter presses and lets go" },
      { keys: "Esc", does: "Return the keyboard to the notebook" },
      { keys: "?", does: "This sheet" },
    ],
  },
]
