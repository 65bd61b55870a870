/** Asks the kernel what the selection tools would select. Of several requests of one kind the newest counts. */
import { enlarged } from "../geometry/enlarge"
import type { Mask } from "../geometry/mask"
import { emptyMask } from "../geometry/mask"
import type { Point } from "../geometry/matrix"
import { decodeMask, encodedSize, encodeMask } from "../kernel/codec"
import type { Buffers, Host } from "../kernel/host"
import type { KernelMessage, SelectHow } from "../kernel/messages"

/** What is asked besides the kind of selection. */
export interface Question {
  readonly points?: readonly Point[]
  /** For each point of a click, whether it lies in the object. */
  readonly labels?: readonly boolean[]
  /** Which of the things that clicks may mean; 0 is the likeliest. */
  readonly choice?: number
  /** The brush's radius, the wand's tolerance, or by how many pixels a mask is adjusted. */
  readonly amount?: number
  readonly contiguous?: boolean
  /** Whether a little ground around what is found is selected too, as a handle needs. */
  readonly margin?: boolean
  /** The mask that is adjusted. */
  readonly mask?: Mask
}

/** What would be selected. */
export interface Selection {
  /** Empty if nothing is, or where a path was asked for. */
  readonly mask: Mask
  readonly path: readonly Point[]
}

interface Waiting {
  readonly how: SelectHow
  readonly since: number
  done(answer: Selection | null): void
}

/** Milliseconds after which a hovering pointer asks again though there was no answer. */
const PATIENCE = 1_000
/** Most digits of a point's coordinates: a tenth of a pixel. */
const FINENESS = 10

/** The requests of one widget. */
export class Selecting {
  private seq = 0
  private readonly waiting = new Map<number, Waiting>()

  /** `tell` shows the user why something could not be selected. */
  constructor(
    private readonly host: Host,
    private readonly tell: (message: string) => void,
  ) {}

  /** Resolves to what would be selected; to null if that is unknown, of an older picture, or asked anew since. */
  ask(how: SelectHow, question: Question = {}): Promise<Selection | null> {
    const seq = ++this.seq
    const { points = [], mask, ...rest } = question
    const round = (n: number) => Math.round(n * FINENESS) / FINENESS
    const fields = {
      ...rest,
      seq,
      rev: this.rev,
      how,
      points: points.map((p) => [round(p.x), round(p.y)] as const),
    }
    // Older requests of this kind are of no use any more.
    for (const [old, { how: kind, done }] of this.waiting) {
      if (kind !== how || how === "path") continue
      this.waiting.delete(old)
      done(null)
    }
    return new Promise((done) => {
      this.waiting.set(seq, { how, since: performance.now(), done })
      const buffers = mask ? [encodeMask(mask).slice()] : []
      if (!this.host.send("select", fields, buffers)) this.end(seq, null)
    })
  }

  /** Whether a request of this kind still waits for its answer: a hovering pointer need not ask again. */
  isAsking(how: SelectHow): boolean {
    const now = performance.now()
    return [...this.waiting.values()].some((w) => w.how === how && now - w.since < PATIENCE)
  }

  /** Takes a `selected` message. */
  answered({ seq, found, message, path }: KernelMessage<"selected">, buffers: Buffers): void {
    if (!this.waiting.has(seq)) return
    if (message) this.tell(message)
    if (!found) return this.end(seq, null)
    const { width, height } = this.host.get("_image_info")
    try {
      const mask = buffers[0] ? maskIn(buffers[0], width, height) : emptyMask(width, height)
      this.end(seq, { mask, path: pairsOf(path) })
    } catch (error) {
      console.warn("regiondrag: a selection could not be read", error)
      this.end(seq, null)
    }
  }

  /** Drops all requests, as for another picture. */
  reset(): void {
    for (const seq of [...this.waiting.keys()]) this.end(seq, null)
  }

  private get rev(): number {
    return this.host.get("_image_info").rev ?? 0
  }

  private end(seq: number, answer: Selection | null): void {
    const waiting = this.waiting.get(seq)
    this.waiting.delete(seq)
    waiting?.done(answer)
  }
}

/** The mask in an answer, which may be of a smaller size, in the whole picture. Throws an Error if it cannot be read. */
function maskIn(bytes: Uint8Array, width: number, height: number): Mask {
  const size = encodedSize(bytes)
  if (size.width > width || size.height > height) throw new Error("the mask is larger than the picture")
  return enlarged(decodeMask(bytes, size.width, size.height), width, height)
}

function pairsOf(path: readonly number[]): Point[] {
  return path.flatMap((x, i) => (i % 2 === 0 && i + 1 < path.length ? [{ x, y: path[i + 1] as number }] : []))
}
