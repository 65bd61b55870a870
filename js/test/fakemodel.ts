import type { HostModel } from "../src/kernel/host"
import { VERSION } from "../src/kernel/messages"

interface Sent {
  content: Record<string, unknown>
  buffers: ArrayBuffer[]
}

/** A model without a page: traits, patches, messages. */
export class FakeModel implements HostModel {
  readonly patches: Record<string, unknown>[] = []
  readonly sent: Sent[] = []
  private readonly listeners = new Map<string, ((...args: unknown[]) => void)[]>()
  private pending: Record<string, unknown> = {}

  constructor(public state: Record<string, unknown> = {}) {}

  get(key: string): unknown {
    return this.state[key]
  }

  set(key: string, value: unknown): void {
    this.state[key] = value
    this.pending[key] = value
    this.emit(`change:${key}`)
  }

  save_changes(): void {
    this.patches.push(this.pending)
    this.pending = {}
  }

  send(content: unknown, _callbacks?: unknown, buffers: unknown[] = []): void {
    this.sent.push({ content: content as Record<string, unknown>, buffers: buffers as ArrayBuffer[] })
  }

  on(event: string, listener: (...args: unknown[]) => void): void {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener])
  }

  off(event?: string | null, listener?: ((...args: unknown[]) => void) | null): void {
    const name = event ?? ""
    this.listeners.set(
      name,
      (this.listeners.get(name) ?? []).filter((l) => l !== listener),
    )
  }

  emit(event: string, ...args: unknown[]): void {
    for (const listener of this.listeners.get(event) ?? []) listener(...args)
  }

  /** The kernel changes traits. */
  update(traits: Record<string, unknown>): void {
    this.state = { ...this.state, ...traits }
    for (const key of Object.keys(traits)) this.emit(`change:${key}`)
  }

  /** The kernel sends a message. */
  receive(type: string, fields: Record<string, unknown> = {}, buffers: unknown[] = []): void {
    this.emit("msg:custom", { v: VERSION, type, ...fields }, buffers)
  }

  get listening(): number {
    return [...this.listeners.values()].reduce((sum, list) => sum + list.length, 0)
  }
}
