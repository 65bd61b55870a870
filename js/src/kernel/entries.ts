/** The regions in the form that goes over the wire: as traits, and as the masks of one request. */
import { hasRoute, isComplete, type Pair, routed } from "../document/pair"
import { type Ghost, pairAt } from "../document/placement"
import type { Regions } from "../document/regions"
import { type Pin, samePins } from "../geometry/bend"
import { emptyMask, isEmpty, type Mask, sameMask } from "../geometry/mask"
import { decodeMask, encodeMask } from "./codec"
import { bytesOf } from "./fields"
import type { Buffers, Host } from "./host"
import type { EditRequest, PairEntry, RequestedPair, WrittenTraits } from "./messages"

/** Masks and pairs of one request, and the message's buffers that they point into. */
export interface RequestMasks extends Pick<EditRequest, "pairs" | "protect"> {
  readonly buffers: Buffers
}

/** The traits that say what is drawn. */
export function traitsOf(regions: Regions): Pick<WrittenTraits, "_pairs" | "_masks" | "_selected"> {
  const masks: Record<string, Uint8Array> = {}
  for (const { id, handle, target, carry, chosen } of regions.pairs) {
    if (!isEmpty(handle)) masks[`h:${id}`] = encodeMask(handle).slice()
    if (!isEmpty(target)) masks[`t:${id}`] = encodeMask(target).slice()
    if (carry === "mask") masks[`c:${id}`] = encodeMask(chosen).slice()
  }
  if (!isEmpty(regions.protect)) masks.protect = encodeMask(regions.protect).slice()
  return { _pairs: regions.pairs.map(entryOf), _masks: masks, _selected: regions.selected }
}

/**
 * The complete pairs, and the protected area. A request carries its own masks, since a message can overtake a patch
 * of traits. With a ghost, its pair is sent as if it were let go now.
 */
export function requestOf(regions: Regions, ghost: Ghost | null = null): RequestMasks {
  const buffers: Buffers = []
  const add = (mask: Mask) => buffers.push(encodeMask(mask).slice()) - 1
  const ready = (pair: Pair) => isComplete(pair) || (pair.id === ghost?.pairId && !isEmpty(pair.handle))
  const pairs = regions.pairs.map((pair) => pairAt(pair, ghost)).filter(ready)
  return {
    pairs: pairs.map((pair): RequestedPair => {
      const { id, name, matrix, carry, action, dense } = pair
      const target = action === "remove" ? emptyMask(pair.handle.width, pair.handle.height) : pair.target
      const handle = add(pair.handle)
      const chosen = carry === "mask" ? add(pair.chosen) : null
      // The kernel works it out from the matrix: warping and packing masks here would delay the pointer.
      const at = isEmpty(target) ? null : add(target)
      return { id, name, matrix, pins: pinRows(pair), dense, carry, action, handle, target: at, chosen }
    }),
    protect: isEmpty(regions.protect) ? null : add(regions.protect),
    buffers,
  }
}

/** The regions that the traits hold. Masks that did not change stay the same objects, so that they are not redrawn. */
export function regionsFrom(host: Host, before: Regions, report: (message: string) => void): Regions {
  const { width, height } = before
  const masks = host.get("_masks")
  const mask = (key: string, old: Mask | undefined): Mask => {
    const bytes = bytesOf(masks[key])
    if (!bytes || bytes.length === 0) return emptyMask(width, height)
    try {
      const read = decodeMask(bytes, width, height)
      return old && sameMask(old, read) ? old : read
    } catch (error) {
      report(`A region could not be read: ${(error as Error).message}.`)
      return emptyMask(width, height)
    }
  }
  const pairs = host.get("_pairs").map((entry, index): Pair => {
    const old = before.pairs.find((p) => p.id === entry.id)
    const handle = mask(`h:${entry.id}`, old?.handle)
    const painted = mask(`t:${entry.id}`, old?.target)
    const chosen = mask(`c:${entry.id}`, old?.chosen)
    const { hasTarget: _, color, ...fields } = entry
    const sent = pinsFrom(entry.pins)
    const pins = old && samePins(old.pins, sent) ? old.pins : sent
    // A pair made in Python may come with its matrix alone.
    const route = { handle, matrix: entry.matrix, pins }
    const target = hasRoute(route) && isEmpty(painted) && !isEmpty(handle) ? routed(route) : painted
    const outlines = { ...old?.outlines }
    if (handle !== old?.handle) delete outlines.handle
    if (target !== old?.target) delete outlines.target
    return { ...fields, pins, color: color ?? index, handle, target, chosen, outlines }
  })
  const protect = mask("protect", before.protect)
  const selected = Math.min(pairs.length - 1, host.get("_selected") ?? pairs.length - 1)
  const protectOutline = protect === before.protect ? before.protectOutline : null
  return { width, height, pairs, protect, protectOutline, selected }
}

function entryOf(pair: Pair): PairEntry {
  const { id, name, color, matrix, dense, visible, locked, rev, carry, action } = pair
  const [pins, hasTarget] = [pinRows(pair), !isEmpty(pair.target)]
  return { id, name, color, matrix, pins, dense, visible, locked, rev, hasTarget, carry, action }
}

function pinRows({ pins }: Pair): PairEntry["pins"] {
  return pins.length === 0 ? null : pins.map(({ x, y, toX, toY }) => [x, y, toX, toY] as const)
}

function pinsFrom(rows: PairEntry["pins"]): readonly Pin[] {
  return (rows ?? []).map(([x, y, toX, toY]) => ({ x, y, toX, toY }))
}
