/** Calls `listener` when one of these has changed, until `signal` is aborted. */
export function onChange(
  those: readonly { readonly changed: Signal }[],
  listener: () => void,
  signal: AbortSignal,
): void {
  for (const { changed } of those) changed.on(listener, signal)
}

/** A list of listeners. Each may be tied to an AbortSignal, so that closing a view drops all of its own. */
export class Signal<T = void> {
  private readonly listeners = new Set<(value: T) => void>()

  /** Adds a listener, until `signal` is aborted. */
  on(listener: (value: T) => void, signal?: AbortSignal): void {
    if (signal?.aborted) return
    this.listeners.add(listener)
    signal?.addEventListener("abort", () => this.listeners.delete(listener), { once: true })
  }

  /** Calls every listener. */
  emit(value: T): void {
    for (const listener of [...this.listeners]) listener(value)
  }

  /** How many listeners there are; tests use it to find leaks. */
  get size(): number {
    return this.listeners.size
  }
}
