/**
 * The protocol between the browser and the kernel, version 1: the messages of both directions and the synced traits.
 * Its twins in Python are `incoming.py` and `outgoing.py` in `regiondrag_widget/widget`.
 *
 * What arrives is described by tables of readers, from which both its validation and its type are derived; what is
 * sent is described by types alone. To add a message, add one entry here and a handler where it is used.
 */
import { type Matrix, matrixFrom } from "../geometry/matrix"
import {
  bytesOf,
  type Fields,
  flag,
  integer,
  list,
  nullable,
  number,
  object,
  oneOf,
  or,
  type Parsed,
  type Reader,
  record,
  text,
} from "./fields"

/** Messages of any other version are ignored. */
export const VERSION = 1

/** A rectangle in picture pixels: x0, y0, x1, y1. */
export type Corners = readonly [x0: number, y0: number, x1: number, y1: number]

type Four = readonly [number, number, number, number]

const corners: Reader<Four> = (value) =>
  Array.isArray(value) && value.length === 4 && value.every((n) => number(n) !== undefined)
    ? (value as unknown as Four)
    : undefined

const matrix: Reader<Matrix | null> = (value) => matrixFrom(value)

/** A pin: x, y on the handle, and x, y where it goes. */
export type PinRow = readonly [x: number, y: number, toX: number, toY: number]

const pinRow: Reader<PinRow> = corners

// -- shared by messages and traits ------------------------------------------------------------------------------

/** The state of an edit: a `status` message, and the `_state` trait. */
const PROGRESS = {
  state: or(oneOf("empty", "ready", "loading", "running", "stopping", "done", "error"), "ready"),
  /** For the user; empty if there is nothing to add to the state. */
  message: or(text, ""),
  step: or(number, 0),
  total: or(number, 0),
  /** Seconds left, if known. */
  eta: nullable(number),
  run: or(number, 0),
}

/** How far an edit has come. */
export type Progress = Parsed<typeof PROGRESS>

/** A pair as the `_pairs` trait has it; its masks are in `_masks`, under `h:<id>`, `t:<id>` and `c:<id>`. */
const PAIR_ENTRY = {
  id: text,
  name: or(text, ""),
  /** Index of the shade. */
  color: nullable(number),
  /** Row by row; null if the target was painted, or there is none. */
  matrix,
  /** Pins that bend the target; the matrix is the map before the bending. */
  pins: nullable(list(pinRow)),
  /** The key of the kernel's dense map that moves the handle. */
  dense: nullable(text),
  visible: or(flag, true),
  locked: or(flag, false),
  rev: or(number, 0),
  hasTarget: or(flag, false),
  /** What of the handle is carried; "mask" if that was chosen (under `c:<id>`), null to leave it to the settings. */
  carry: nullable(oneOf("object", "painted", "mask")),
  /** What is done with the content. */
  action: or(oneOf("move", "copy", "remove"), "move"),
}

/** A pair as the `_pairs` trait has it. */
export type PairEntry = Parsed<typeof PAIR_ENTRY>

/** A pair as `run` and `draft` messages have it: its masks are indices into the message's buffers. */
export interface RequestedPair
  extends Pick<PairEntry, "id" | "name" | "matrix" | "pins" | "dense" | "carry" | "action"> {
  readonly handle: number
  /** Null if the kernel is to work the target out from the matrix. */
  readonly target: number | null
  /** What was chosen to be carried; null unless `carry` is "mask". */
  readonly chosen: number | null
}

// -- from the kernel --------------------------------------------------------------------------------------------

/** Every message of the kernel, by its type. */
const FROM_KERNEL = {
  /** The answer to `hello`; `run` is the number of the newest run. */
  ready: { kernel: or(text, ""), busy: or(flag, false), run: nullable(number) },
  pong: {},
  status: PROGRESS,
  /** A picture of the edit after `step` of `total` (a `Frame` once decoded), one buffer; `box` is the part of the picture that it covers. */
  preview: {
    run: integer,
    seq: integer,
    step: or(integer, 0),
    total: or(integer, 0),
    box: corners,
    mime: or(text, "image/jpeg"),
  },
  /** The draft asked for as `seq`, one buffer. */
  drafted: { seq: integer, box: nullable(corners), mime: or(text, "image/jpeg") },
  /** There will be no draft `seq`; `message` is for the user, often empty. */
  undrafted: {
    seq: integer,
    reason: or(oneOf("stale", "stopped", "memory", "error"), "stale"),
    message: or(text, ""),
  },
  /**
   * What a pair's handle will carry, found when the regions were at `rev`. One buffer, the mask; with `larger` a
   * second one, the handle grown to the whole object. `words` are for the user.
   */
  carried: {
    pair: text,
    rev: integer,
    verdict: or(text, ""),
    words: or(text, ""),
    larger: or(flag, false),
  },
  /**
   * The answer to `select`. One buffer, the mask, or none if nothing is selected; it may be smaller than the picture, and
   * then stands for the whole of it. `path` are x and y in turn. Without
   * `found` there is no answer; `message` is for the user, often empty.
   */
  selected: {
    seq: integer,
    found: or(flag, false),
    message: or(text, ""),
    path: or(list(number), []),
  },
  /**
   * How a pair's handle goes to a painted target, or by a dense map, worked out when the regions were at `rev`. `edges`
   * are those of a lattice over the target, x0, y0, x1, y1; one buffer has the source x, y of each of its points, row by
   * row, in float32.
   */
  mapped: { pair: text, rev: integer, edges: corners, columns: integer, rows: integer },
  /** How fast drafts are, and what they run on. */
  measured: {
    /** Median milliseconds of a draft in the kernel; null before the first. */
    draft_ms: nullable(number),
    /** Whether drafts are fast enough to follow the pointer unless the user says otherwise. */
    live: or(flag, false),
    device: or(text, ""),
    dtype: or(text, ""),
    /** Bytes that prepared pictures take, and may take. */
    memory: nullable(number),
    budget: nullable(number),
    note: or(text, ""),
  },
  done: { run: integer, result: or(text, ""), seconds: or(number, 0) },
  stopped: { run: integer, step: or(number, 0) },
  /** Something failed, in run `run` or (null) outside any; `remedy` says what to do. */
  error: { run: nullable(number), code: or(text, ""), message: or(text, ""), remedy: or(text, "") },
  /** The bytes that a `need` asked for, one buffer. */
  blob: { what: or(text, ""), result: nullable(text) },
} satisfies Record<string, Fields>

/** The types of the kernel's messages. */
export type KernelMessageType = keyof typeof FROM_KERNEL

/** The fields of a message of the given type. */
export type KernelMessage<T extends KernelMessageType> = Parsed<(typeof FROM_KERNEL)[T]>

/** A message that has been read: its type and its fields, still belonging together. */
export type AnyKernelMessage = {
  [T in KernelMessageType]: { type: T; fields: KernelMessage<T> }
}[KernelMessageType]

/**
 * Reads one message of the kernel. Returns a sentence that says what is wrong with it if it cannot be used; the
 * sentence is for the browser's console.
 */
export function readMessage(content: unknown): AnyKernelMessage | string {
  const given = record(content)
  const type = given?.type
  if (!given || typeof type !== "string") return "a malformed message was ignored"
  if (given.v !== VERSION) {
    return `a message of version ${String(given.v)} was ignored (this is ${VERSION})`
  }
  if (!Object.hasOwn(FROM_KERNEL, type)) return `an unknown message was ignored: ${type}`
  const fields = object(FROM_KERNEL[type as KernelMessageType] as Fields)(given)
  return fields ? ({ type, fields } as AnyKernelMessage) : `a malformed message was ignored: ${type}`
}

// -- to the kernel ----------------------------------------------------------------------------------------------

/** The kinds of selection; `Select` in `incoming.py` says what each means. */
export type SelectHow =
  | "prepare"
  | "piece"
  | "object"
  | "click"
  | "box"
  | "brush"
  | "wand"
  | "path"
  | "grow"
  | "shrink"
  | "smooth"
  | "fill_holes"
  | "invert"

/** What to edit and how; masks are indices into the message's buffers. */
export interface EditRequest {
  readonly params: Readonly<Record<string, unknown>>
  /** The revision of the regions (`_regions_rev`) that the masks belong to. */
  readonly rev: number
  readonly pairs: readonly RequestedPair[]
  readonly protect: number | null
}

/** Every message of the browser, by its type. */
export interface ToKernel {
  /** Sent first; `have` says which bytes this page already has. */
  hello: { view: string; have: { image: number | null; result: string | null } }
  ping: Record<never, never>
  /** Whether a view of the widget is on the screen. */
  visible: { visible: boolean }
  /** Edit now. Complete in itself, since a message can overtake the traits. */
  run: EditRequest & { run: number }
  stop: { run: number }
  /** The preview `seq` of `run` is on the screen. */
  ack: { run: number; seq: number }
  /** Edit quickly, while the pointer moves. */
  draft: EditRequest & { seq: number }
  /** The drag ended without a run: drafts up to `seq` are no longer wanted. */
  drag_ended: { seq: number }
  /** What would this select? The answer is `selected`. `rev` is the picture's; a mask that is adjusted is the one buffer. */
  select: {
    seq: number
    rev: number
    how: SelectHow
    points: readonly (readonly [x: number, y: number])[]
    labels?: readonly boolean[]
    choice?: number
    amount?: number
    contiguous?: boolean
    margin?: boolean
  }
  /** The measurements are on show, or no longer: `measured` messages are wanted, or not. */
  stats: { on: boolean }
  /** Bytes are missing here. */
  need: { what: "image" | "result" | "thumbs" | "masks"; result?: string }
  accept: { result: string }
  discard: { result: string }
  restore: { result: string }
  /** A picture file, or one of its `parts` pieces, one buffer. */
  load: { name: string; mime: string; part?: number; parts?: number; upload?: string }
}

// -- traits -----------------------------------------------------------------------------------------------------

const IMAGE_INFO = {
  width: or(number, 0),
  height: or(number, 0),
  mime: or(text, "image/png"),
  /** Counts the pictures of this widget. */
  rev: nullable(number),
  name: or(text, ""),
  /** Whether parts of it may be transparent. */
  alpha: or(flag, false),
}

const RESULT_INFO = { id: text, run: or(number, 0), seed: or(number, 0), seconds: or(number, 0) }

const HISTORY_ENTRY = { id: text, seed: or(number, 0), seconds: or(number, 0), label: or(text, "") }

/** What the kernel says about the newest result. */
export type ResultInfo = Parsed<typeof RESULT_INFO>

/** One of the results that can be brought back. */
export type HistoryEntry = Parsed<typeof HISTORY_ENTRY>

const bytes: Reader<Uint8Array<ArrayBuffer> | null> = (value) => {
  const read = bytesOf(value)
  return read && read.length > 0 ? read : null
}

/** An object whose fields all have fallbacks: anything else reads as one with the fallbacks. */
function always<F extends Fields>(fields: F): Reader<Parsed<F>> {
  const reader = object(fields)
  return (value) => reader(value) ?? reader({})
}

/** Every synced trait. Values of the wrong type read as null, as empty, or as the fallback named here. */
const TRAITS = {
  /** The picture's bytes; null if there is none or if they have to be asked for. */
  _image: bytes,
  _image_info: always(IMAGE_INFO),
  _pairs: or(list(object(PAIR_ENTRY)), []),
  /** Masks in RDM1, by key; the values are any kind of bytes. */
  _masks: or(record, {}),
  /** Rises with every change of the regions, on either side. */
  _regions_rev: or(number, 0),
  /** Index of the active pair, -1 for none. */
  _selected: nullable(number),
  settings: or(record, {}),
  /** The settings that a reset gives. */
  _defaults: or(record, {}),
  /** Names of the diffusion models to choose from. */
  _models: or(list(text), []),
  _state: always(PROGRESS),
  _result: bytes,
  _result_info: nullable(object(RESULT_INFO)),
  _history: or(list(object(HISTORY_ENTRY)), []),
  /** JPEG thumbnails of the history, by result; the values are any kind of bytes. */
  _thumbs: or(record, {}),
  /** Height of the drawing area in CSS pixels; null for automatic. */
  _height: nullable(number),
} satisfies Fields

/** The names of the synced traits. */
export type TraitName = keyof typeof TRAITS

/** The type of a trait once it has been read. */
export type Trait<N extends TraitName> = Parsed<typeof TRAITS>[N]

/** Reads a trait's value. */
export function readTrait<N extends TraitName>(name: N, value: unknown): Trait<N> {
  return TRAITS[name](value) as Trait<N>
}

/** The traits that the browser writes. */
export interface WrittenTraits {
  _pairs: readonly PairEntry[]
  _masks: Readonly<Record<string, Uint8Array>>
  _regions_rev: number
  _selected: number
  settings: Readonly<Record<string, unknown>>
}
