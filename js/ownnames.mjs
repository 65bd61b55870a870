// Finds the names of the TypeScript sources that the bundler may shorten: nothing outside the bundle uses them.
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

const COMMENTS = /\/\*[\s\S]*?\*\/|\/\/.*$/gm

/**
 * Words of the platform that the sources use for their own things alone, so often that it shows. Nothing of the platform
 * by these names is used, and no object is asked for them by a string.
 */
const TAKEN_OVER = [
  "active",
  "anchors",
  "area",
  "cancel",
  "changed",
  "commit",
  "committed",
  "context",
  "corners",
  "current",
  "element",
  "finish",
  "frames",
  "held",
  "host",
  "icon",
  "index",
  "label",
  "layer",
  "notify",
  "picture",
  "ports",
  "progress",
  "readOnly",
  "regions",
  "release",
  "report",
  "reset",
  "results",
  "screen",
  "secondary",
  "store",
  "tool",
  "viewport",
  "waiting",
]

/** The source files below a folder that end in `ending`, in one text without comments. */
function textOf(folder, ending, filter = () => true) {
  const names = readdirSync(folder, { recursive: true }).filter(
    (name) => name.endsWith(ending) && filter(name),
  )
  return names.map((name) => readFileSync(join(folder, name), "utf8").replace(COMMENTS, "")).join("\n")
}

/** All that a regular expression with one group finds. */
const found = (text, pattern) => [...text.matchAll(pattern)].map((match) => match[1])

/**
 * Fields and methods that are declared in `source` and mean nothing else: no word of the browser's, JavaScript's or the
 * host's types, no string, no data attribute, no field of a message or of the settings. Keys of object literals are not
 * looked for: those are attributes, keys of the keyboard, names of icons. `modules` is the folder of node modules.
 */
export function ownNames(source, modules) {
  const typescript = join(modules, "@typescript")
  const library = readdirSync(typescript).map((name) =>
    textOf(join(typescript, name, "lib"), ".d.ts", (file) => /^lib\.(dom|es\d+|esnext)/.test(file)),
  )
  const host = textOf(join(modules, "@anywidget"), ".d.ts")
  const code = textOf(source, ".ts")
  const wire = ["messages.ts", "settings.generated.ts"].map((name) => textOf(source, name))
  const others = new Set([
    ...found([...library, host, ...wire].join("\n"), /\b([A-Za-z_]\w*)\b/g),
    ...found(code, /["'`]([A-Za-z_]\w*)["'`]/g),
    ...found(code, /data(?:set)?\.(\w+)/g),
  ])
  const fields = found(
    code,
    /\b(?:private|protected|readonly) (?:readonly |static |get |set |async )*([A-Za-z]\w*)/g,
  )
  const methods = found(
    code,
    /^ {2}(?:static |get |set |async )*([A-Za-z]\w*)\??(?:<[^>\n]*>)?\(.*(?:[{(]|: [^\n]+)$/gm,
  )
  const begun = found(code, /^ {2}([A-Za-z]\w*)(?:: [^=(\n]+)? = /gm)
  return [...new Set([...fields, ...begun, ...methods])].filter(
    (name) => TAKEN_OVER.includes(name) || !others.has(name),
  )
}
