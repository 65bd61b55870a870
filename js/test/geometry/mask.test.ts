import { describe, expect, it } from "vitest"
import { area, centroid, eachRun, has, isEmpty, MaskBuffer, sameMask, shifted } from "../../src/geometry/mask"
import { disc, maskOf, textOf } from "../masks"

describe("a mask", () => {
  it("has a tight bounding box", () => {
    const mask = maskOf("......", "..##..", "...#..", "......")
    expect(mask).toMatchObject({ x0: 2, y0: 1, w: 2, h: 2 })
  })

  it("knows its pixels, and none outside the picture", () => {
    const mask = maskOf("#..", ".#.")
    expect([has(mask, 0, 0), has(mask, 1, 1), has(mask, 1, 0), has(mask, -1, 0), has(mask, 3, 1)]).toEqual([
      true,
      true,
      false,
      false,
      false,
    ])
  })

  it("lists whole runs across byte borders", () => {
    const runs: number[][] = []
    const mask = maskOf("#".repeat(19), `${".".repeat(8)}${"#".repeat(11)}`)
    eachRun(mask, (...run) => runs.push(run))
    expect(runs).toEqual([
      [0, 0, 18],
      [1, 8, 18],
    ])
  })

  it("counts its pixels and finds their middle", () => {
    const mask = disc(41, 31, 20, 15, 9)
    expect(centroid(mask)).toEqual({ x: 20, y: 15 })
    expect(area(mask)).toBe(textOf(mask).join("").replaceAll(".", "").length)
  })

  it("has no middle when it is empty", () => {
    expect(centroid(maskOf("...", "..."))).toBeNull()
  })

  it("loses what is shifted out of the picture", () => {
    expect(textOf(shifted(maskOf("##.", "##."), 2, -1))).toEqual(["..#", "..."])
  })

  it("is the same object when a shift needs no new pixels", () => {
    const mask = maskOf("##..", "....")
    expect(shifted(mask, 1, 1).bits).toBe(mask.bits)
  })

  it("equals another of the same pixels", () => {
    expect(sameMask(maskOf("#.", ".#"), maskOf("#.", ".#"))).toBe(true)
    expect(sameMask(maskOf("#.", ".#"), maskOf("#.", "##"))).toBe(false)
  })
})

describe("a mask being drawn", () => {
  it("reports the rectangle that changed, once", () => {
    const buffer = new MaskBuffer(10, 10)
    buffer.span(2, 3, 5)
    buffer.span(4, 1, 1)
    expect(buffer.takeDirty()).toEqual({ x0: 1, y0: 2, x1: 6, y1: 5 })
    expect(buffer.takeDirty()).toBeNull()
  })

  it("clips spans to the picture", () => {
    const buffer = new MaskBuffer(4, 2)
    buffer.span(0, -5, 1)
    buffer.span(1, 3, 99)
    buffer.span(7, 0, 3)
    expect(textOf(buffer.toMask())).toEqual(["##..", "...#"])
  })

  it("forgets what is erased, box and all", () => {
    const buffer = MaskBuffer.from(maskOf("####", "#..."))
    buffer.span(0, 0, 3, 0)
    expect(buffer.toMask()).toMatchObject({ x0: 0, y0: 1, w: 1, h: 1 })
    buffer.span(1, 0, 0, 0)
    expect(isEmpty(buffer.toMask())).toBe(true)
  })
})
