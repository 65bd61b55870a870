import { describe, expect, it } from "vitest"
import { type Finding, Findings } from "../../src/document/findings"
import type { Pair } from "../../src/document/pair"
import { addPair, changePair, emptyRegions, nudge, pastePair, withMask } from "../../src/document/regions"
import { emptyMask, has, isEmpty } from "../../src/geometry/mask"
import { disc, textOf } from "../masks"

const [W, H] = [40, 30]
const drawn = withMask(addPair(emptyRegions(W, H)), 0, "handle", disc(W, H, 10, 12, 6))
const pairOf = (regions: typeof drawn) => regions.pairs[0] as Pair
const finding = (radius: number, width = W): Finding => ({
  verdict: "object",
  words: "carrying the object",
  mask: disc(width, H, 10, 12, radius),
  larger: null,
})

describe("what is found in a handle", () => {
  it("is known from when it comes until the handle changes", () => {
    const findings = new Findings()
    findings.follow(drawn, 3)
    expect(findings.of(pairOf(drawn))).toBeNull()
    const found = finding(4)
    expect(findings.take(pairOf(drawn).id, 3, found)).toBe(true)
    expect(findings.of(pairOf(drawn))).toBe(found)
    const wider = withMask(drawn, 0, "handle", disc(W, H, 10, 12, 8))
    findings.follow(wider, 4)
    expect(findings.of(pairOf(wider))).toBeNull()
  })

  it("is dropped when it belongs to an older handle", () => {
    const findings = new Findings()
    findings.follow(drawn, 3)
    const wider = withMask(drawn, 0, "handle", disc(W, H, 10, 12, 8))
    findings.follow(wider, 4)
    expect(findings.take(pairOf(drawn).id, 3, finding(4))).toBe(false)
    expect(findings.of(pairOf(wider))).toBeNull()
  })

  it("is known again after an undo", () => {
    const findings = new Findings()
    findings.follow(drawn, 3)
    const found = finding(4)
    findings.take(pairOf(drawn).id, 3, found)
    findings.follow(withMask(drawn, 0, "handle", disc(W, H, 10, 12, 8)), 4)
    findings.follow(drawn, 5)
    expect(findings.of(pairOf(drawn))).toBe(found)
  })

  it("stays when something else of the pair changes", () => {
    const findings = new Findings()
    findings.follow(drawn, 3)
    const renamed = changePair(drawn, 0, { name: "cup" })
    findings.follow(renamed, 4)
    expect(findings.take(pairOf(drawn).id, 3, finding(4))).toBe(true)
    expect(findings.of(pairOf(renamed))?.verdict).toBe("object")
  })

  it("is another for another choice", () => {
    const findings = new Findings()
    findings.follow(drawn, 3)
    findings.take(pairOf(drawn).id, 3, finding(4))
    const painted = changePair(drawn, 0, { carry: "painted" })
    findings.follow(painted, 4)
    expect(findings.of(pairOf(painted))).toBeNull()
  })

  it("waits for a pair that is not drawn here yet", () => {
    const findings = new Findings()
    const found = finding(4)
    expect(findings.take(pairOf(drawn).id, 3, found)).toBe(false)
    findings.follow(drawn, 3)
    expect(findings.of(pairOf(drawn))).toBe(found)
  })

  it("is refused for a picture of another size", () => {
    const findings = new Findings()
    findings.follow(drawn, 3)
    expect(findings.take(pairOf(drawn).id, 3, finding(4, W + 1))).toBe(false)
  })
})

describe("what was chosen in Python", () => {
  const chosen = disc(W, H, 10, 12, 3)
  const choice = changePair(drawn, 0, { carry: "mask", chosen })

  it("loses what is erased and gains what is painted", () => {
    const moved = withMask(choice, 0, "handle", disc(W, H, 14, 12, 6))
    const pair = pairOf(moved)
    expect(pair.carry).toBe("mask")
    for (let y = 0; y < H; y++) {
      for (let x = 0; x < W; x++) {
        const painted = has(pair.handle, x, y) && !has(pairOf(drawn).handle, x, y)
        const kept = has(chosen, x, y) && has(pair.handle, x, y)
        expect(has(pair.chosen, x, y), `${x}, ${y}`).toBe(painted || kept)
      }
    }
  })

  it("is forgotten when nothing of it is left", () => {
    const pair = pairOf(withMask(choice, 0, "handle", disc(W, H, 10, 12, 0)))
    const gone = pairOf(withMask(choice, 0, "handle", emptyMask(W, H)))
    expect([pair.carry, gone.carry]).toEqual(["mask", null])
    expect(isEmpty(gone.chosen)).toBe(true)
  })

  it("moves with its handle, and is copied with its pair", () => {
    const pair = pairOf(nudge(choice, 0, "handle", 3, 1))
    expect([pair.carry, textOf(pair.chosen)]).toEqual(["mask", textOf(disc(W, H, 13, 13, 3))])
    const copy = pastePair(choice, pairOf(choice), 2).pairs[1]
    expect([copy?.carry, textOf(copy?.chosen as never)]).toEqual(["mask", textOf(disc(W, H, 12, 14, 3))])
  })
})
