/** Pictures that were left, by an Accept or for an earlier result, and the way back: undo goes on past them. */
import type { Regions } from "../document/regions"
import type { RegionStore } from "../document/store"
import type { Host } from "../kernel/host"
import type { Results } from "./results"

/** What brings a picture: a result is accepted, or brought back with the picture it was made of. */
type Way = readonly ["accept" | "restore", string]

/** What was drawn on a picture and could be undone there. */
interface Left {
  readonly drawn: Regions
  readonly past: readonly Regions[]
}

/** A picture that was left, and what brings it back. */
interface Step extends Left {
  readonly back: Way
  /** The result that was accepted; null if an earlier one was asked for. */
  readonly accepted: string | null
}

/** How many can be undone: the kernel keeps as many results. */
const MOST = 20

/** Accepts results, and goes back to the pictures before. The kernel keeps what is needed for it with the results. */
export class Accepts {
  private done: Step[] = []
  private undone: string | null = null
  /** What would bring the picture on show once more; null if nothing is known to. */
  private way: Way | null = null
  /** What the next new picture will come from. */
  private expected: { accepted?: string; restored?: Step } | null = null
  /** The earlier result that was asked for last. */
  private asked = ""
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

  /** Whether the picture before can be had now, everything drawn since being undone; or something undone, once it has come. */
  get canUndo(): boolean {
    const { done, expected, store } = this
    if (!expected) return !store.canUndo && done.length > 0
    return !expected.restored || expected.restored.past.length > 0 || done.length > 1
  }

  /** Whether an undone Accept can be made again now, or once the picture has come. */
  get canRedo(): boolean {
    const { expected, results, store } = this
    if (expected) return (expected.restored?.accepted ?? null) !== null
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
    this.expected = { accepted: result }
    this.host.send("accept", { result })
    return true
  }

  /** Asks for an earlier result, and the picture it was made of. */
  restore(result: string): void {
    this.asked = result
    this.host.send("restore", { result })
  }

  /** Brings back the picture that was left last, with its regions. */
  undo(): void {
    const restored = this.canUndo ? this.done.at(-1) : undefined
    if (!restored) return
    this.expected = { restored }
    const [how, result] = restored.back
    this.host.send(how, { result })
  }

  /** A result of the picture on show has come. */
  made(result: string): void {
    this.way ??= ["restore", result]
  }

  /** Another picture has come, in place of what was `left`: by what was asked for here, or from elsewhere for good. */
  arrived(left: Left): void {
    const { accepted = null, restored } = this.expected ?? {}
    const shown = this.host.get("_result_info")?.id
    const back: Way | null = accepted ? ["restore", accepted] : shown === this.asked ? this.way : null
    this.expected = null
    this.undone = null
    if (restored) {
      this.done = this.done.slice(0, -1)
      this.store.resume(restored.past, restored.drawn)
      this.undone = restored.accepted
    } else this.done = back ? [...this.done, { ...left, back, accepted }].slice(-MOST) : []
    this.way = restored?.back ?? (accepted ? ["accept", accepted] : shown ? ["restore", shown] : null)
    this.asked = ""
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
