/** What the views of a widget show: the picture with its regions, or the result. */
import type { Signal } from "../document/signal"
import type { RegionStore } from "../document/store"
import type { Results } from "./results"
import type { Runs } from "./runs"

/** What the screen needs from its surroundings. */
export interface ScreenPorts {
  readonly store: RegionStore
  readonly runs: Runs
  readonly results: Results
  readonly changed: Signal
  /** Whether a drag is under way that must not be interrupted. */
  isHeld(): boolean
  /** Called when a result has come on the screen by itself. */
  revealed(): void
}

/** Switches between regions and result. */
export class Screen {
  /** What is shown now. */
  showing: "regions" | "result" = "regions"

  constructor(private readonly ports: ScreenPorts) {}

  /** Shows the result, if there is one. */
  showResult(): void {
    const { results, store, changed } = this.ports
    if (!results.picture) return
    this.showing = "result"
    store.cancelGesture()
    changed.emit()
  }

  /** Shows the regions; `evenBusy` also takes the frames of a run under way off the screen. */
  showRegions(evenBusy = false): void {
    const { runs, changed } = this.ports
    this.showing = "regions"
    if (evenBusy || !runs.busy) runs.frames.clear(runs.progress.run)
    changed.emit()
  }

  /**
   * Shows the result once it, the end of its run and the run's last frame have arrived, in any order. `isNew` says
   * that the result has just arrived.
   */
  reveal(isNew = false): void {
    const { runs, results, changed } = this.ports
    const { info } = results
    const hindered = () => runs.busy || this.ports.isHeld()
    if (!results.picture || !info || hindered()) return
    const ownRun = info.run === runs.progress.run && runs.progress.state === "done"
    if (!isNew && !ownRun) return
    runs.frames.whenPainted(() => {
      if (results.info !== info || hindered()) return
      this.showing = "result"
      this.ports.revealed()
      runs.frames.clear(runs.progress.run)
      changed.emit()
    })
  }
}
