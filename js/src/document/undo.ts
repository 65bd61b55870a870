/** Undo and redo over immutable documents: one entry a gesture. */
export class History<T> {
  private past: T[] = []
  private future: T[] = []

  constructor(
    private present: T,
    private readonly limit = 100,
  ) {}

  get current(): T {
    return this.present
  }
  get canUndo(): boolean {
    return this.past.length > 0
  }
  get canRedo(): boolean {
    return this.future.length > 0
  }

  push(next: T): void {
    this.past.push(this.present)
    if (this.past.length > this.limit) this.past.shift()
    this.present = next
    this.future = []
  }

  /** Changes the present without a step of its own (a selection, a renumbering by the kernel). */
  amend(next: T): void {
    this.present = next
  }

  undo(): T | undefined {
    const before = this.past.pop()
    if (before === undefined) return undefined
    this.future.push(this.present)
    this.present = before
    return before
  }

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
