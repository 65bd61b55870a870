import { readdirSync, readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const SOURCE = resolve(dirname(fileURLToPath(import.meta.url)), "../src")
const names = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter((name) =>
  name.endsWith(".ts"),
)

/** Exported definitions with no TSDoc directly above them, as `line: text`. */
function undocumented(text: string): string[] {
  const lines = text.split("\n").filter((line) => !line.trim().startsWith("// biome-ignore"))
  return lines.flatMap((line, i) => {
    const defines = /^export (?:abstract class|async function|class|const|function|interface|type) /.test(
      line,
    )
    return defines && !lines[i - 1]?.trim().endsWith("*/") ? [`${i + 1}: ${line}`] : []
  })
}

describe("the front end's documentation", () => {
  it.each(names)("of %s begins with what the file is for, and says what each export is", (name) => {
    const text = readFileSync(resolve(SOURCE, name), "utf8")
    expect(text.slice(0, 3)).toBe("/**")
    expect(undocumented(text)).toEqual([])
  })

  it("is missed where it is missing", () => {
    expect(undocumented("/** A file. */\nimport x from 'y'\n\nexport function f() {}\n")).toEqual([
      "4: export function f() {}",
    ])
    expect(undocumented("/** Does f. */\nexport function f() {}\n")).toEqual([])
  })
})
