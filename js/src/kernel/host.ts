/** The notebook host behind an anywidget model: typed traits, versioned messages, buffers of any kind. */
import { Signal } from "../document/signal"

/** What every host's model offers; listener arguments differ between hosts and are ignored except by messages. */
export interface HostModel {
  get(key: string): unknown
  set(key: string, value: unknown): void
  save_changes(): void
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[] | ArrayBufferView[]): void
  // biome-ignore lint/suspicious/noExplicitAny: hosts pass different arguments to the same event
  on(event: string, listener: (...args: any[]) => void): void
  // biome-ignore lint/suspicious/noExplicitAny: as above
  off(event?: string | null, listener?: ((...args: any[]) => void) | null): void
  readonly widget_manager?: unknown
}

export interface Message {
  readonly type: string
  readonly [field: string]: unknown
}

export const VERSION = 1

/** Notebook servers close the socket on a message above ten mebibytes; the rest is for its other fields. */
const LARGEST_MESSAGE = 10 * 1024 * 1024 - 64 * 1024

/** Bytes from a DataView (Jupyter), Uint8Array (Colab), ArrayBuffer (others) or array of numbers (VS Code). */
export function bytesOf(value: unknown): Uint8Array<ArrayBuffer> | null {
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength)
  }
  if (Array.isArray(value) && value.every((n) => typeof n === "number")) return Uint8Array.from(value)
  return null
}

/** A copy that owns its whole buffer: some hosts send `value.buffer`, whatever the view covers. */
export function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength
  return whole && bytes.buffer instanceof ArrayBuffer
    ? (bytes as Uint8Array<ArrayBuffer>)
    : Uint8Array.from(bytes)
}

export class Host {
  /** Something was too large to be sent, and was not. */
  readonly refused = new Signal()
  private readonly undo: (() => void)[] = []

  constructor(readonly model: HostModel) {}

  on(event: string, listener: () => void): void {
    const wrapped = () => listener()
    this.model.on(event, wrapped)
    this.undo.push(() => this.model.off(event, wrapped))
  }

  /** Calls the listener for each well-formed message of our version; others are logged and dropped. */
  onMessage(listener: (message: Message, buffers: Uint8Array<ArrayBuffer>[]) => void): void {
    const wrapped = (content: unknown, buffers?: unknown) => {
      const message = content as { v?: unknown; type?: unknown } | null
      if (typeof message !== "object" || message === null || typeof message.type !== "string") {
        console.warn("regiondrag: a malformed message was ignored", content)
        return
      }
      if (message.v !== VERSION) {
        console.warn(`regiondrag: a message of version ${String(message.v)} was ignored (this is ${VERSION})`)
        return
      }
      const list = Array.isArray(buffers) ? buffers.map(bytesOf).filter((b) => b !== null) : []
      listener(message as Message, list)
    }
    this.model.on("msg:custom", wrapped)
    this.undo.push(() => this.model.off("msg:custom", wrapped))
  }

  /** False where the message is too large to be sent. */
  send(type: string, fields: Record<string, unknown> = {}, buffers: Uint8Array<ArrayBuffer>[] = []): boolean {
    if (this.tooLarge(buffers)) return false
    this.attempt(() => this.model.send({ v: VERSION, type, ...fields }, undefined, buffers.map(owned)))
    return true
  }

  /** Several traits in one patch: the kernel never sees half a gesture. */
  save(traits: Record<string, unknown>): void {
    if (this.tooLarge(Object.values(traits._masks ?? {}))) return
    for (const [key, value] of Object.entries(traits)) this.model.set(key, value)
    this.attempt(() => this.model.save_changes())
  }

  private tooLarge(buffers: unknown[]): boolean {
    const size = buffers.reduce<number>((sum, one) => sum + (bytesOf(one)?.length ?? 0), 0)
    if (size <= LARGEST_MESSAGE) return false
    console.warn(`regiondrag: ${size} bytes are too many for one message`)
    this.refused.emit()
    return true
  }

  /** A dead kernel's comm may throw; the drawing goes on, and the silence is noticed elsewhere. */
  private attempt(send: () => void): void {
    try {
      send()
    } catch (error) {
      console.warn("regiondrag: the kernel could not be reached", error)
    }
  }

  number(key: string, otherwise: number): number {
    const value = this.model.get(key)
    return typeof value === "number" && Number.isFinite(value) ? value : otherwise
  }

  record(key: string): Record<string, unknown> {
    const value = this.model.get(key)
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {}
  }

  list(key: string): unknown[] {
    const value = this.model.get(key)
    return Array.isArray(value) ? value : []
  }

  bytes(key: string): Uint8Array<ArrayBuffer> | null {
    const bytes = bytesOf(this.model.get(key))
    return bytes && bytes.length > 0 ? bytes : null
  }

  close(): void {
    for (const undo of this.undo.splice(0)) undo()
  }
}
