import { readdirSync, readFileSync } from "node:fs"
import { basename, dirname, posix, resolve, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const HERE = dirname(fileURLToPath(import.meta.url))
const SOURCE = resolve(HERE, "../src")

/** Each folder may import from itself and from those before it. */
const FOLDERS = ["geometry", "document", "kernel", "model", "dom", "tools", "canvas", "ui", "."]

/** The modules that a file imports, for types too, statically, dynamically or to export them again. */
function importsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "")
  const forms = [
    /^\s*(?:import|export)\b[^"';]*?\bfrom\s*["']([^"']+)["']/gm,
    /^\s*import\s*["']([^"']+)["']/gm,
    /\bimport\s*\(\s*["']([^"']+)["']/g,
  ]
  return forms.flatMap((form) => [...code.matchAll(form)].map((match) => match[1] as string))
}

/** Every source file by its path, with the source files it imports. */
function graphOf(files: ReadonlyMap<string, string>): Map<string, string[]> {
  return new Map(
    [...files].map(([path, text]) => {
      const local = importsOf(text).filter((name) => name.startsWith("."))
      const paths = local.map((name) => posix.normalize(posix.join(posix.dirname(path), name)))
      return [path, paths.map((p) => (files.has(`${p}.ts`) ? `${p}.ts` : p))]
    }),
  )
}

/** One circle of imports as the files along it, or null. */
function circleIn(graph: ReadonlyMap<string, readonly string[]>): string[] | null {
  const done = new Set<string>()
  const visit = (file: string, path: string[]): string[] | null => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return null
    for (const next of graph.get(file) ?? []) {
      const circle = visit(next, [...path, file])
      if (circle) return circle
    }
    done.add(file)
    return null
  }
  for (const file of graph.keys()) {
    const circle = visit(file, [])
    if (circle) return circle
  }
  return null
}

function filesIn(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" })
  const sources = names.filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))
  return new Map(
    sources.map((name) => [name.split(sep).join("/"), readFileSync(resolve(folder, name), "utf8")]),
  )
}

const files = filesIn(SOURCE)
const graph = graphOf(files)

describe("the front end's files", () => {
  it("import each other in no circle, imports of types included", () => {
    expect(files.size).toBeGreaterThan(50)
    expect(circleIn(graph)?.join(" -> ") ?? "none").toBe("none")
  })

  it("import only files that exist", () => {
    const missing = [...graph].flatMap(([file, imports]) =>
      imports.filter((path) => !files.has(path) && !path.endsWith(".css")).map((path) => `${file}: ${path}`),
    )
    expect(missing).toEqual([])
  })

  it("import from their own folder and from those below it", () => {
    const upward = [...graph].flatMap(([file, imports]) => {
      const level = FOLDERS.indexOf(posix.dirname(file))
      expect(level, file).toBeGreaterThanOrEqual(0)
      return imports
        .filter((path) => files.has(path) && FOLDERS.indexOf(posix.dirname(path)) > level)
        .map((path) => `${file} -> ${path}`)
    })
    expect(upward).toEqual([])
  })

  it("have names of their own", () => {
    const names = [...files.keys()].map((path) => basename(path))
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
  })

  it("are mirrored by the tests", () => {
    const tests = readdirSync(HERE, { recursive: true, encoding: "utf8" }).filter((n) =>
      n.endsWith(".test.ts"),
    )
    const folders = new Set(FOLDERS)
    expect(tests.filter((test) => !folders.has(dirname(test)))).toEqual([])
  })
})

describe("the search for circles", () => {
  const plant = (...given: [string, string][]) => circleIn(graphOf(new Map(given)))?.join(" -> ")

  it.each([
    ["an import", 'import { b } from "./b"'],
    ["an import of a type", 'import type { B } from "./b"'],
    ["an import over several lines", 'import {\n  type B,\n  b,\n} from "./b"'],
    ["an import for its effects", 'import "./b"'],
    ["an export of what another file has", 'export { b } from "./b"'],
    ["an export of everything", 'export * from "./b"'],
    ["a dynamic import", 'const b = await import("./b")'],
    ["a type named in place", 'let b: import("./b").B'],
  ])("sees %s", (_form, code) => {
    expect(plant(["x/a.ts", code], ["x/b.ts", 'import type { A } from "./a"'])).toBe(
      "x/a.ts -> x/b.ts -> x/a.ts",
    )
  })

  it("follows circles over several files and folders", () => {
    const circle = plant(
      ["a.ts", 'import "./x/b"'],
      ["x/b.ts", 'import type { C } from "../y/c"'],
      ["y/c.ts", 'import "../x/d"'],
      ["x/d.ts", 'import "./b"'],
    )
    expect(circle).toBe("x/b.ts -> y/c.ts -> x/d.ts -> x/b.ts")
  })

  it("takes two ways to one file for none, and no notice of comments", () => {
    const both = 'import "./b"\nimport "./c"'
    expect(plant(["a.ts", both], ["b.ts", 'import "./c"'], ["c.ts", '// import "./a"'])).toBeUndefined()
  })

  it("finds one planted among the real files", () => {
    const planted = new Map(files)
    const matrix = files.get("geometry/matrix.ts") as string
    planted.set("geometry/matrix.ts", `import type { Mask } from "./mask"\n${matrix}`)
    const mask = files.get("geometry/mask.ts") as string
    planted.set("geometry/mask.ts", `import type { Matrix } from "./matrix"\n${mask}`)
    expect(circleIn(graphOf(planted))?.sort().slice(0, 2)).toContain("geometry/mask.ts")
  })
})
