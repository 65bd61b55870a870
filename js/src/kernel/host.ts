/** The notebook host behind an anywidget model: typed traits, versioned messages, buffers of any kind. */
import { Signal } from "../document/signal"
import { bytesOf } from "./fields"
import {
  type AnyKernelMessage,
  readMessage,
  readTrait,
  type ToKernel,
  type Trait,
  type TraitName,
  VERSION,
  type WrittenTraits,
} from "./messages"

/** What every host's model offers. Hosts pass different arguments to listeners; only those of messages are used. */
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

/** A message's binary parts. */
export type Buffers = Uint8Array<ArrayBuffer>[]

/** Notebook servers close the socket on a message above ten mebibytes; the 64 KiB are for its other fields. */
const LARGEST_MESSAGE = 10 * 1024 * 1024 - 64 * 1024

/** A copy that owns its whole buffer: some hosts send `value.buffer`, whatever part of it the view covers. */
export function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength
  return whole && bytes.buffer instanceof ArrayBuffer
    ? (bytes as Uint8Array<ArrayBuffer>)
    : Uint8Array.from(bytes)
}

/** The one way to and from the kernel: everything sent, saved, received or read goes through here. */
export class Host {
  /** Something was too large to be sent, and was not sent. */
  readonly refused = new Signal()
  /** A message of our version has come from the kernel, whether or not it could be read. */
  readonly heard = new Signal()
  private readonly undo: (() => void)[] = []

  constructor(readonly model: HostModel) {}

  /** Calls `listener` on an event of the host's model, for example `change:_state`. */
  on(event: string, listener: () => void): void {
    const wrapped = () => listener()
    this.model.on(event, wrapped)
    this.undo.push(() => this.model.off(event, wrapped))
  }

  /** Calls `listener` whenever one of the traits changes. */
  onTraits(names: readonly TraitName[], listener: () => void): void {
    for (const name of names) this.on(`change:${name}`, listener)
  }

  /** Calls `listener` with each well-formed message of our version; others are logged and dropped. */
  onMessage(listener: (message: AnyKernelMessage, buffers: Buffers) => void): void {
    const wrapped = (content: unknown, buffers?: unknown) => {
      if ((content as { v?: unknown } | null)?.v === VERSION) this.heard.emit()
      const message = readMessage(content)
      if (typeof message === "string") {
        console.warn(`regiondrag: ${message}`, content)
        return
      }
      const list = Array.isArray(buffers) ? buffers.map(bytesOf).filter((b) => b !== null) : []
      listener(message, list)
    }
    this.model.on("msg:custom", wrapped)
    this.undo.push(() => this.model.off("msg:custom", wrapped))
  }

  /** Sends a message. Returns false if it is too large. */
  send<T extends keyof ToKernel>(type: T, fields: ToKernel[T], buffers: Buffers = []): boolean {
    if (this.tooLarge(buffers)) return false
    this.attempt(() => this.model.send({ v: VERSION, type, ...fields }, undefined, buffers.map(owned)))
    return true
  }

  /** Writes several traits in one patch, so that the kernel never sees half a gesture. */
  save(traits: Partial<WrittenTraits>): void {
    if (this.tooLarge(Object.values(traits._masks ?? {}))) return
    for (const [key, value] of Object.entries(traits)) this.model.set(key, value)
    this.attempt(() => this.model.save_changes())
  }

  /** A trait's value, checked. */
  get<N extends TraitName>(name: N): Trait<N> {
    return readTrait(name, this.model.get(name))
  }

  /** Removes every listener. */
  close(): void {
    for (const undo of this.undo.splice(0)) undo()
  }

  private tooLarge(buffers: unknown[]): boolean {
    const size = buffers.reduce<number>((sum, one) => sum + (bytesOf(one)?.length ?? 0), 0)
    if (size <= LARGEST_MESSAGE) return false
    console.warn(`regiondrag: ${size} bytes are too many for one message`)
    this.refused.emit()
    return true
  }

  /** A dead kernel's comm may throw. Drawing goes on, and the watch notices the silence. */
  private attempt(send: () => void): void {
    try {
      send()
    } catch (error) {
      console.warn("regiondrag: the kernel could not be reached", error)
    }
  }
}
