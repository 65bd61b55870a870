// Bundles js/src/widget.ts into regiondrag_widget/widget/static; `--watch` rebuilds on change.
import { mkdirSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as esbuild from "esbuild"
import { ownNames } from "./ownnames.mjs"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const out = join(root, "regiondrag_widget", "widget", "static")
const watch = process.argv.includes("--watch")
// The whole bundle travels in every widget's opening message, so it stays small.
const limit = 150 * 1024

mkdirSync(out, { recursive: true })
const shortened = ownNames(join(root, "js", "src"), join(root, "node_modules"))
const options = {
  entryPoints: { widget: join(root, "js", "src", "widget.ts") },
  outdir: out,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: !watch,
  charset: "utf8",
  define: { "Number.POSITIVE_INFINITY": "Infinity" },
  mangleProps: watch ? undefined : new RegExp(`^(${shortened.join("|")})$`),
  sourcemap: watch ? "inline" : false,
  legalComments: "none",
  logLevel: "info",
}

if (watch) {
  const context = await esbuild.context(options)
  await context.watch()
} else {
  await esbuild.build(options)
  const size = statSync(join(out, "widget.js")).size
  if (size > limit) {
    console.error(
      `widget.js is ${size} bytes; the limit is ${limit}: drop a dependency or split a feature out.`,
    )
    process.exit(1)
  }
}
