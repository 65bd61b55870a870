/** The regions as traits: what the kernel holds is what the store holds, one patch a gesture. */

import type { Pair, Regions } from "../document/regions"
import { type Ghost, movedPair, type RegionStore } from "../document/store"
import { emptyMask, isEmpty, type Mask, sameMask } from "../geometry/mask"
import { matrixFrom } from "../geometry/matrix"
import { warpMask } from "../geometry/warp"
import { decodeMask, encodeMask } from "./codec"
import { bytesOf, type Host } from "./host"

export interface RunMasks {
  readonly pairs: Record<string, unknown>[]
  readonly protect: number | null
  readonly buffers: Uint8Array<ArrayBuffer>[]
}

export class RegionSync {
  private rev = -1
  /** The masks' trait as last read or written, and whether the kernel was asked for newer ones. */
  private masks: unknown = null
  private asked = false

  constructor(
    private readonly host: Host,
    private readonly store: RegionStore,
    private readonly complain: (message: string) => void,
  ) {
    this.rev = host.number("_regions_rev", 0)
    this.masks = host.model.get("_masks")
    store.committed.on(() => this.write())
    store.selection.on(() => host.save({ _selected: store.regions.selected }))
    let waiting = false
    const later = () => {
      if (waiting) return
      waiting = true
      // One patch may change several traits: read them once all have arrived.
      queueMicrotask(() => {
        waiting = false
        this.read()
      })
    }
    for (const trait of ["_pairs", "_masks", "_regions_rev"]) host.on(`change:${trait}`, later)
    host.on("change:_selected", () => {
      const wanted = host.number("_selected", store.regions.selected)
      if (wanted !== store.regions.selected && wanted < store.regions.pairs.length) store.select(wanted)
    })
  }

  /** Forgets the store's drawings and takes the kernel's, as after a new picture. */
  reset(width: number, height: number): void {
    this.rev = this.host.number("_regions_rev", 0)
    this.masks = this.host.model.get("_masks")
    this.store.reset(readRegions(this.host, { ...this.store.regions, width, height }, this.complain))
  }

  /**
   * Masks and pairs of a run, complete in themselves: a message overtakes a patch under way. With a ghost, of the
   * draft of what it would be if it were let go now.
   */
  forRun(ghost: Ghost | null = null): RunMasks & { rev: number } {
    const regions = this.store.regions
    const buffers: Uint8Array<ArrayBuffer>[] = []
    const add = (mask: Mask) => buffers.push(encodeMask(mask).slice()) - 1
    const moved = regions.pairs.map((pair) => (pair.id === ghost?.pairId ? movedPair(pair, ghost) : pair))
    const whole = (pair: Pair) =>
      !isEmpty(pair.handle) && (!isEmpty(pair.target) || pair.id === ghost?.pairId)
    const pairs = moved.filter(whole).map((pair) => ({
      id: pair.id,
      name: pair.name,
      matrix: pair.matrix ? [...pair.matrix] : null,
      handle: add(pair.handle),
      // The kernel works it out from the matrix: warping and packing masks would take the pointer's time.
      target: isEmpty(pair.target) ? null : add(pair.target),
    }))
    const protect = isEmpty(regions.protect) ? null : add(regions.protect)
    return { pairs, protect, buffers, rev: this.rev }
  }

  private write(): void {
    this.rev = Math.max(this.rev, this.host.number("_regions_rev", 0)) + 1
    this.host.save({ ...writeRegions(this.store.regions), _regions_rev: this.rev })
    this.masks = this.host.model.get("_masks")
  }

  private read(): void {
    const rev = this.host.number("_regions_rev", 0)
    // A lower number is an echo of what this page wrote before.
    if (rev < this.rev || (rev === this.rev && !this.asked)) return
    this.rev = rev
    const { width, height } = this.store.regions
    if (!width || !height) return
    const masks = this.host.model.get("_masks")
    // Masks are not echoed: another page's pairs arrive without them.
    this.asked = masks === this.masks && this.otherPairs()
    this.masks = masks
    this.store.adopt(readRegions(this.host, this.store.regions, this.complain))
    if (this.asked) this.host.send("need", { what: "masks" })
  }

  /** Whether the kernel's list has a pair that this page does not know, or knows as it was before. */
  private otherPairs(): boolean {
    const { pairs } = this.store.regions
    return this.host.list("_pairs").some((value) => {
      const wire = value as Record<string, unknown> | null
      return pairs.find((pair) => pair.id === wire?.id)?.rev !== wire?.rev
    })
  }
}

export function writeRegions(regions: Regions): Record<string, unknown> {
  const masks: Record<string, Uint8Array> = {}
  for (const pair of regions.pairs) {
    if (!isEmpty(pair.handle)) masks[`h:${pair.id}`] = encodeMask(pair.handle).slice()
    if (!isEmpty(pair.target)) masks[`t:${pair.id}`] = encodeMask(pair.target).slice()
  }
  if (!isEmpty(regions.protect)) masks.protect = encodeMask(regions.protect).slice()
  return {
    _pairs: regions.pairs.map((pair) => ({
      id: pair.id,
      name: pair.name,
      color: pair.color,
      matrix: pair.matrix ? [...pair.matrix] : null,
      visible: pair.visible,
      locked: pair.locked,
      rev: pair.rev,
      hasTarget: !isEmpty(pair.target),
    })),
    _masks: masks,
    _selected: regions.selected,
  }
}

/** The kernel's regions; masks that did not change stay the same objects, so nothing is drawn anew for them. */
export function readRegions(host: Host, before: Regions, complain: (message: string) => void): Regions {
  const { width, height } = before
  const bytes = host.record("_masks")
  const mask = (key: string, old: Mask | undefined): Mask => {
    const raw = bytesOf(bytes[key])
    if (!raw || raw.length === 0) return emptyMask(width, height)
    try {
      const fresh = decodeMask(raw, width, height)
      return old && sameMask(old, fresh) ? old : fresh
    } catch (error) {
      complain(`A region could not be read: ${(error as Error).message}.`)
      return emptyMask(width, height)
    }
  }
  const pairs = host.list("_pairs").flatMap((value, index): Pair[] => {
    const wire = value as Record<string, unknown> | null
    if (typeof wire !== "object" || wire === null || typeof wire.id !== "string") return []
    const old = before.pairs.find((p) => p.id === wire.id)
    const handle = mask(`h:${wire.id}`, old?.handle)
    const matrix = matrixFrom(wire.matrix)
    const painted = mask(`t:${wire.id}`, old?.target)
    // A pair made in Python may come with its matrix alone.
    const target = matrix && isEmpty(painted) ? warpMask(handle, matrix) : painted
    const outlines = { ...old?.outlines }
    if (handle !== old?.handle) delete outlines.handle
    if (target !== old?.target) delete outlines.target
    return [
      {
        id: wire.id,
        name: typeof wire.name === "string" ? wire.name : "",
        color: typeof wire.color === "number" ? wire.color : index,
        matrix,
        visible: wire.visible !== false,
        locked: wire.locked === true,
        rev: typeof wire.rev === "number" ? wire.rev : 0,
        handle,
        target,
        outlines,
      },
    ]
  })
  const protect = mask("protect", before.protect)
  const selected = Math.min(pairs.length - 1, host.number("_selected", pairs.length - 1))
  return {
    width,
    height,
    pairs,
    protect,
    protectOutline: protect === before.protect ? before.protectOutline : null,
    selected,
  }
}
