/** Undo and redo over immutable states, one entry per gesture. */
export class UndoStack<T> {
  private past: T[] = []
  private future: T[] = []

  constructor(
    private present: T,
    private readonly limit = 100,
  ) {}

  /** The state now. */
  get current(): T {
    return this.present
  }
  /** Whether there is a state to go back to. */
  get canUndo(): boolean {
    return this.past.length > 0
  }
  /** Whether there is an undone state to go forward to. */
  get canRedo(): boolean {
    return this.future.length > 0
  }

  /** The states to go back to, oldest first. */
  get before(): readonly T[] {
    return [...this.past]
  }

  /** Takes up a history again that ended in this state. */
  resume(past: readonly T[], present: T): void {
    this.past = [...past]
    this.present = present
    this.future = []
  }

  /** Adds a state; those that were undone are gone. */
  push(next: T): void {
    this.past.push(this.present)
    if (this.past.length > this.limit) this.past.shift()
    this.present = next
    this.future = []
  }

  /** Replaces the state without an entry of its own, as for a selection. */
  amend(next: T): void {
    this.present = next
  }

  /** Goes back one state and returns it; undefined if there is none. */
  undo(): T | undefined {
    const before = this.past.pop()
    if (before === undefined) return undefined
    this.future.push(this.present)
    this.present = before
    return before
  }

  /** Goes forward one state and returns it; undefined if there is none. */
  redo(): T | undefined {
    const after = this.future.pop()
    if (after === undefined) return undefined
    this.past.push(this.present)
    this.present = after
    return after
  }

  /** Forgets everything, as for a new picture. */
  reset(present: T): void {
    this.past = []
    this.future = []
    this.present = present
  }
}
