/** What each message of the kernel does. */
import type { Buffers } from "../kernel/host"
import type { AnyKernelMessage, KernelMessage, KernelMessageType, Progress } from "../kernel/messages"
import type { Live } from "./live"
import type { Runs } from "./runs"
import type { Selecting } from "./selecting"

/** One function per message of the kernel. */
export type Handlers = { [T in KernelMessageType]: (message: KernelMessage<T>, buffers: Buffers) => void }

/** What the handlers act on. */
export interface HandlerPorts {
  readonly runs: Runs
  readonly live: Live
  readonly selecting: Selecting
  /** A run has come further, or is over. */
  progressed(progress: Progress): void
  /** No run is under way any more. */
  runOver(): void
  /** Something went wrong, in a run or (null) outside any. */
  report(message: string, remedy: string, run: number | null): void
  /** What a handle will carry is known. */
  found(message: KernelMessage<"carried">, buffers: Buffers): void
  /** How a handle goes is known. */
  mapped(message: KernelMessage<"mapped">, buffers: Buffers): void
  /** The bytes that were asked for have come. */
  loadOriginal(bytes: Uint8Array<ArrayBuffer>): void
  loadResult(bytes: Uint8Array<ArrayBuffer>): void
}

/** Calls the handler of a message. */
export function dispatch(handlers: Handlers, { type, fields }: AnyKernelMessage, buffers: Buffers): void {
  const handler = handlers[type] as (fields: unknown, buffers: Buffers) => void
  handler(fields, buffers)
}

/** The handlers of one widget. */
export function handlersFor(ports: HandlerPorts): Handlers {
  const { runs, live } = ports
  return {
    ready: ({ run }) => runs.greeted(run),
    // A sign of life, which the watch has noted.
    pong: () => {},
    status: (progress) => ports.progressed(progress),
    preview: (message, buffers) => {
      if (message.run >= runs.progress.run) void runs.frames.receive(message, buffers[0])
    },
    done: ({ run }) => {
      if (runs.end(run, "done", "")) ports.runOver()
    },
    stopped: ({ run, step }) => {
      if (runs.end(run, "ready", step ? `Stopped at step ${step}` : "Stopped")) ports.runOver()
    },
    drafted: (message, buffers) => live.drafted(message, buffers[0]),
    undrafted: (message) => live.undrafted(message),
    carried: (message, buffers) => ports.found(message, buffers),
    selected: (message, buffers) => ports.selecting.answered(message, buffers),
    mapped: (message, buffers) => ports.mapped(message, buffers),
    measured: (message) => live.measure(message),
    error: ({ run, message, remedy }) => {
      if (!runs.fail(run, message)) return
      ports.report(message || "Something went wrong in the kernel.", remedy, run)
    },
    blob: ({ what }, buffers) => {
      const bytes = buffers[0]
      if (bytes && what === "image") ports.loadOriginal(bytes)
      if (bytes && what === "result") ports.loadResult(bytes)
    },
  }
}
