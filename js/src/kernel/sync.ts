/** Keeps the regions in the browser and in the kernel the same: one patch of traits per gesture, in either direction. */
import type { RegionStore } from "../document/store"
import { regionsFrom, traitsOf } from "./entries"
import type { Host } from "./host"

/** Writes what the store commits to the traits, and takes over what the kernel or another page wrote there. */
export class RegionSync {
  /** The revision of the regions, as last read or written. */
  rev: number
  /** The value of `_masks` as last read or written, and whether the kernel was asked for newer masks. */
  private masks: unknown
  private asked = false

  /** `report` tells the user about regions that cannot be read; those that are not of the picture on show are left. */
  constructor(
    private readonly host: Host,
    private readonly store: RegionStore,
    private readonly report: (message: string) => void,
    private readonly isOther: () => boolean = () => false,
  ) {
    this.rev = host.get("_regions_rev")
    this.masks = host.get("_masks")
    store.committed.on(() => this.write())
    store.selection.on(() => host.save({ _selected: store.regions.selected }))
    let waiting = false
    host.onTraits(["_pairs", "_masks", "_regions_rev"], () => {
      if (waiting) return
      waiting = true
      // One patch may change several traits: read them once all have arrived.
      queueMicrotask(() => {
        waiting = false
        this.read()
      })
    })
    host.onTraits(["_selected"], () => {
      const { regions } = store
      const wanted = host.get("_selected") ?? regions.selected
      if (wanted !== regions.selected && wanted < regions.pairs.length) store.select(wanted)
    })
  }

  /** Forgets what is drawn and reads the traits anew, for a new picture of this size. */
  reset(width: number, height: number): void {
    this.rev = this.host.get("_regions_rev")
    this.masks = this.host.get("_masks")
    this.store.reset(regionsFrom(this.host, { ...this.store.regions, width, height }, this.report))
  }

  private write(): void {
    this.rev = Math.max(this.rev, this.host.get("_regions_rev")) + 1
    this.host.save({ ...traitsOf(this.store.regions), _regions_rev: this.rev })
    this.masks = this.host.get("_masks")
  }

  private read(): void {
    const rev = this.host.get("_regions_rev")
    // Another picture's regions are read by `reset`, once it is there.
    if (this.isOther()) return
    // A lower number is an echo of what this page wrote before.
    if (rev < this.rev || (rev === this.rev && !this.asked)) return
    this.rev = rev
    const { width, height } = this.store.regions
    if (!width || !height) return
    const masks = this.host.get("_masks")
    // Masks are not echoed: another page's pairs arrive without them.
    this.asked = masks === this.masks && this.hasOtherPairs()
    this.masks = masks
    this.store.adopt(regionsFrom(this.host, this.store.regions, this.report))
    if (this.asked) this.host.send("need", { what: "masks" })
  }

  /** Whether the traits list a pair that this page does not know, or an older revision of it. */
  private hasOtherPairs(): boolean {
    const { pairs } = this.store.regions
    return this.host.get("_pairs").some(({ id, rev }) => pairs.find((pair) => pair.id === id)?.rev !== rev)
  }
}
