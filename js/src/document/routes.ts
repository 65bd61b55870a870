/** How handles go to painted targets and by dense maps: the kernel works it out and tells it. */
import type { Mask } from "../geometry/mask"
import type { Mesh } from "../geometry/mesh"
import type { Pair } from "./pair"
import type { Regions } from "./regions"

/** Meshes for unknown pairs that are kept at most. */
const MOST_EARLY = 512

interface Drawn {
  readonly handle: Mask
  readonly target: Mask
  readonly dense: string | null
  readonly rev: number
}

/** Holds the meshes. Each belongs to one handle and target as they were drawn; one that comes too late is dropped. */
export class Routes {
  /** Since which revision of the regions each pair is as it is. */
  private readonly drawn = new Map<string, Drawn>()
  /** What came for pairs before they were drawn here, as when the page opens. */
  private readonly early = new Map<string, { mesh: Mesh; rev: number }>()
  /** By handle and target, so that undoing shows at once what was known before. */
  private readonly known = new WeakMap<Mask, WeakMap<Mask, Map<string, Mesh>>>()

  /** Notes which pairs have changed with this revision of the regions. */
  follow(regions: Regions, rev: number): void {
    const ids = new Set(regions.pairs.map(({ id }) => id))
    for (const id of this.drawn.keys()) if (!ids.has(id)) this.drawn.delete(id)
    for (const { id, handle, target, dense } of regions.pairs) {
      const before = this.drawn.get(id)
      if (before?.handle === handle && before.target === target && before.dense === dense) continue
      this.drawn.set(id, { handle, target, dense, rev })
      const early = this.early.get(id)
      this.early.delete(id)
      if (early) this.take(id, early.rev, early.mesh)
    }
  }

  /** Takes the mesh of a pair as it was at a revision of the regions; false if the pair is a newer one. */
  take(id: string, rev: number, mesh: Mesh): boolean {
    const drawn = this.drawn.get(id)
    if (!drawn) {
      if (this.early.size >= MOST_EARLY) this.early.clear()
      this.early.set(id, { mesh, rev })
    }
    if (!drawn || rev < drawn.rev) return false
    const ofHandle = this.known.get(drawn.handle) ?? new WeakMap<Mask, Map<string, Mesh>>()
    this.known.set(drawn.handle, ofHandle)
    const ofTarget = ofHandle.get(drawn.target) ?? new Map<string, Mesh>()
    ofHandle.set(drawn.target, ofTarget.set(drawn.dense ?? "", mesh))
    return true
  }

  /** What is known of a pair as it is drawn, or null. */
  of({ handle, target, dense }: Pair): Mesh | null {
    return (
      this.known
        .get(handle)
        ?.get(target)
        ?.get(dense ?? "") ?? null
    )
  }
}
