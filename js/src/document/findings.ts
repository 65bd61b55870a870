/** What the kernel has found in each handle: what of it will be carried, and why. */
import type { Mask } from "../geometry/mask"
import { once } from "../geometry/once"
import type { Pair } from "./pair"
import type { Regions } from "./regions"

/** What will be carried of one handle. */
export interface Finding {
  /** One of the kernel's verdicts, such as "object", "painted" or "beyond". */
  readonly verdict: string
  /** The same for the user. */
  readonly words: string
  /** What will be carried. */
  readonly mask: Mask
  /** The handle grown to the whole object, where that goes on beyond it. */
  readonly larger: Mask | null
}

/** Findings for unknown pairs that are kept at most. */
const MOST_EARLY = 512

interface Drawn {
  readonly handle: Mask
  readonly carry: string
  readonly rev: number
}

/** Holds the findings. Each belongs to one handle as it was drawn; one that comes too late for its handle is dropped. */
export class Findings {
  /** Since which revision of the regions each pair has its handle. */
  private readonly drawn = new Map<string, Drawn>()
  /** What came for pairs before they were drawn here, as when the page opens. */
  private readonly early = new Map<string, { finding: Finding; rev: number }>()
  /** By handle, so that undoing shows at once what was known before. */
  private readonly known = new WeakMap<Mask, Map<string, Finding>>()

  /** Notes which handles have changed with this revision of the regions. */
  follow(regions: Regions, rev: number): void {
    const ids = new Set(regions.pairs.map(({ id }) => id))
    for (const id of this.drawn.keys()) if (!ids.has(id)) this.drawn.delete(id)
    for (const pair of regions.pairs) {
      const carry = carryKey(pair)
      const before = this.drawn.get(pair.id)
      if (before?.handle === pair.handle && before.carry === carry) continue
      this.drawn.set(pair.id, { handle: pair.handle, carry, rev })
      const early = this.early.get(pair.id)
      this.early.delete(pair.id)
      if (early) this.take(pair.id, early.rev, early.finding)
    }
  }

  /** Takes the finding for a pair as it was at a revision of the regions; false if the handle is a newer one. */
  take(id: string, rev: number, finding: Finding): boolean {
    const drawn = this.drawn.get(id)
    if (!drawn) {
      if (this.early.size >= MOST_EARLY) this.early.clear()
      this.early.set(id, { finding, rev })
    }
    if (!drawn || rev < drawn.rev) return false
    const { width, height } = drawn.handle
    if (finding.mask.width !== width || finding.mask.height !== height) return false
    const ofHandle = this.known.get(drawn.handle) ?? new Map<string, Finding>()
    this.known.set(drawn.handle, ofHandle.set(drawn.carry, finding))
    return true
  }

  /** What is known of a pair as it is drawn, or null. */
  of(pair: Pair): Finding | null {
    return this.known.get(pair.handle)?.get(carryKey(pair)) ?? null
  }
}

let chosenMasks = 0
const chosenNumber = once((_: Mask) => ++chosenMasks)

/** Equal for pairs that say the same of what is to be carried. */
function carryKey({ carry, chosen }: Pair): string {
  return carry === "mask" ? `mask ${chosenNumber(chosen)}` : (carry ?? "")
}
