/** Results that became the picture, and the way back: undo goes on past an Accept. */
import type { Regions } from "../document/regions"
import type { RegionStore } from "../document/store"
import type { Host } from "../kernel/host"
import type { Results } from "./results"

/** An accepted result, what was drawn then, and what could be undone before it. */
interface Accepted {
  readonly result: string
  readonly drawn: Regions
  readonly past: readonly Regions[]
}

/** How many can be undone: the kernel keeps as many results. */
const MOST = 20

/** Accepts results, and takes that back. The kernel keeps what is needed for it with the result. */
export class Accepts {
  private done: Accepted[] = []
  private undone: string | null = null
  /** What the next new picture will come from. */
  private expected: { accepted?: Accepted; restored?: Accepted } | null = null
  /** What was asked for meanwhile. */
  private later: (() => void)[] = []

  constructor(
    private readonly host: Host,
    private readonly store: RegionStore,
    private readonly results: Results,
  ) {
    store.committed.on(() => {
      this.undone = null
    })
  }

  /** Whether another picture was asked for and has not come yet. */
  get pending(): boolean {
    return this.expected !== null
  }

  /** Whether an Accept can be undone now, everything drawn since being undone; or something, once the picture has come. */
  get canUndo(): boolean {
    const { done, expected, store } = this
    if (!expected) return !store.canUndo && done.length > 0
    return !expected.restored || expected.restored.past.length > 0 || done.length > 1
  }

  /** Whether an undone Accept can be made again now, or once the picture has come. */
  get canRedo(): boolean {
    const { expected, results, store } = this
    if (expected) return expected.restored !== undefined
    return !store.canRedo && this.undone !== null && results.info?.id === this.undone
  }

  /** Calls `act` once the picture that was asked for has come. */
  afterwards(act: () => void): void {
    this.later.push(act)
  }

  /** Makes the result the picture. Returns false if there is none. */
  accept(): boolean {
    const result = this.results.info?.id
    if (result === undefined || this.expected) return false
    this.expected = { accepted: { result, drawn: this.store.regions, past: this.store.past } }
    this.host.send("accept", { result })
    return true
  }

  /** Brings back the picture before the newest Accept, with its regions and its result. */
  undo(): void {
    const last = this.canUndo ? this.done.at(-1) : undefined
    if (!last) return
    this.expected = { restored: last }
    this.host.send("restore", { result: last.result })
  }

  /** Another picture has come: by Accept, by undoing one, or from elsewhere, which cannot be undone. */
  arrived(): void {
    const { accepted, restored } = this.expected ?? {}
    this.expected = null
    this.undone = null
    if (accepted) this.done = [...this.done, accepted].slice(-MOST)
    else if (restored) {
      this.done = this.done.slice(0, -1)
      this.store.resume(restored.past, restored.drawn)
      this.undone = restored.result
    } else this.done = []
    for (const act of this.later.splice(0)) act()
  }

  /** The kernel could not do it. */
  failed(): void {
    // A result that is gone cannot be brought back later either.
    if (this.expected?.restored) this.done = []
    this.expected = null
    this.later = []
  }
}
