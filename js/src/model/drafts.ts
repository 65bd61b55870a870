/**
 * Drafts: the kernel's quick edits while a region is dragged.
 *
 * One is asked for at a time, for the newest place of the pointer, when the one before is on the screen, has come
 * to nothing or is lost. What is shown never goes back in time: an answer belongs to the one request that flies.
 */
import type { Carried } from "../document/carried"
import type { Message } from "../kernel/host"

export interface Draft {
  readonly image: ImageBitmap
  /** x0, y0, x1, y1 of the picture that it covers. */
  readonly box: readonly [number, number, number, number]
  readonly seq: number
  /** Where everything was when it was asked for; another place has another text. */
  readonly place: string
  readonly carried: readonly Carried[]
  /** When the pointer was there, and when the draft came on the screen; `performance.now()`. */
  readonly stamp: number
  painted: number
}

interface Wanted {
  readonly place: string
  readonly stamp: number
  /** Asked for once more, later than the pointer came there: no measure of how quick drafts are. */
  readonly again: boolean
}

interface Asked extends Wanted {
  readonly seq: number
  readonly carried: readonly Carried[]
  arrived: boolean
}

/** How the newest draft may be shown: whole, or only what it fills in where the handle was. */
export interface Look {
  readonly draft: Draft
  readonly whole: boolean
}

export interface Ports {
  /** Asks the kernel for a draft of what is drawn now, and says what that is; null where it could not be sent. */
  ask(seq: number): readonly Carried[] | null
  /** There is something to draw anew. */
  shown(): void
  /** The draft is on the screen. */
  painted(draft: Draft): void
  /** The kernel gives no draft for a reason the person should know. */
  failed(message: string): void
}

/** Milliseconds after which a request counts as lost, and a draft as too old to be shown while the pointer moves on. */
export const LOST = 2_000
export const OLDEST = 1_000
/** Milliseconds between requests while the kernel has trouble with them. */
const PAUSE = 500
/**
 * A draft is shown whole behind a moving pointer where the kernel is quick: one that jumps after the pointer a few
 * times a second is worse to look at than the browser's own preview. Two limits, lest the two take turns.
 */
const QUICK = 300
const SLOW = 380
/** A quick kernel that has not answered for so long has stalled. */
const STALLED = 500
/** How long to wait before asking again for a place at which the pointer rests and whose request came to nothing. */
const AGAIN = 100

// Numbers rise across reloads of the page too, where the kernel remembers those of the page before.
let newest = Date.now()

export class Drafts {
  private shownNow: Draft | null = null
  private flying: Asked | null = null
  private wanted: Wanted | null = null
  /** The newest request of this drag, whatever became of it. */
  private last: { seq: number; place: string } | null = null
  private paused = false
  private quick = true
  private readonly lags: number[] = []
  private timer: ReturnType<typeof setTimeout> | undefined
  private ageing: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly ports: Ports) {}

  /** The pointer is at another place since `stamp`. */
  want(place: string, stamp: number): void {
    this.wanted = place === (this.flying ?? this.last)?.place ? null : { place, stamp, again: false }
    this.next()
  }

  /** A `drafted` message. */
  async arrive(message: Message, bytes: Uint8Array<ArrayBuffer> | undefined): Promise<void> {
    const asked = this.flying
    if (!asked || message.seq !== asked.seq || asked.arrived) return
    asked.arrived = true
    const box = boxOf(message.box)
    if (!box || !bytes || bytes.length === 0) {
      console.warn("regiondrag: a draft without a picture was ignored")
      return this.free()
    }
    if (tooOld(asked)) return this.free()
    const type = typeof message.mime === "string" ? message.mime : "image/jpeg"
    let image: ImageBitmap
    try {
      image = await createImageBitmap(new Blob([bytes], { type }))
    } catch {
      console.warn("regiondrag: a draft did not decode")
      if (this.flying === asked) this.free()
      return
    }
    // While it decoded, the drag may have ended or the request have been given up.
    if (this.flying !== asked || tooOld(asked)) {
      image.close()
      if (this.flying === asked) this.free()
      return
    }
    const { seq, place, carried, stamp } = asked
    const draft = { image, box, seq, place, carried, stamp, painted: performance.now() }
    this.drop()
    this.shownNow = draft
    if (!asked.again) this.judge(draft.painted - stamp)
    this.ports.shown()
    this.age(draft)
    // The views asked for this animation frame before us: once it is our turn they have drawn.
    requestAnimationFrame(() => {
      if (this.shownNow === draft) {
        draft.painted = performance.now()
        if (!asked.again) this.ports.painted(draft)
      }
      if (this.flying === asked) this.free()
    })
  }

  /** An `undrafted` message: the request gives no picture. */
  refuse(message: Message): void {
    const asked = this.flying
    if (!asked || message.seq !== asked.seq) return
    this.last = null
    if (message.reason === "error" || message.reason === "memory") {
      if (typeof message.message === "string" && message.message) this.ports.failed(message.message)
      this.pause(PAUSE)
    } else if (!this.wanted) {
      // The kernel may be getting the picture ready, or ending a run.
      this.pause(AGAIN, asked.place)
    }
    this.free()
  }

  /** The drag is over; what is still under way is void. Returns the newest number of this drag, null for none. */
  end(): number | null {
    const last = this.last
    clearTimeout(this.timer)
    this.paused = false
    this.flying = null
    this.wanted = null
    this.last = null
    return last?.seq ?? null
  }

  /** What may be shown of the newest draft now that everything is at `place`. */
  look(place: string): Look | null {
    const draft = this.shownNow
    if (!draft) return null
    if (draft.place === place) return { draft, whole: true }
    const now = performance.now()
    if (now - draft.stamp > OLDEST) return null
    return { draft, whole: this.quick && now - draft.painted <= STALLED }
  }

  /** Takes the draft off the screen. */
  drop(): void {
    clearTimeout(this.ageing)
    this.shownNow?.image.close()
    this.shownNow = null
  }

  close(): void {
    this.end()
    this.drop()
  }

  private next(): void {
    const wanted = this.wanted
    if (!wanted || this.flying || this.paused) return
    this.wanted = null
    newest += 1
    const carried = this.ports.ask(newest)
    if (!carried) return this.pause(PAUSE)
    this.flying = { seq: newest, ...wanted, carried, arrived: false }
    this.last = this.flying
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.repeat(wanted.place)
      this.free()
    }, LOST)
  }

  /** Asks once more where the pointer still rests there. */
  private repeat(place: string): void {
    this.wanted ??= { place, stamp: performance.now(), again: true }
  }

  private free(): void {
    if (!this.paused) clearTimeout(this.timer)
    this.flying = null
    this.next()
  }

  /** Asks for nothing for a while; then, where the pointer still rests there, for `place` again. */
  private pause(milliseconds: number, place?: string): void {
    this.paused = true
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.paused = false
      if (place !== undefined) this.repeat(place)
      this.next()
    }, milliseconds)
  }

  private judge(lag: number): void {
    this.lags.push(lag)
    if (this.lags.length > 5) this.lags.shift()
    const typical = [...this.lags].sort((a, b) => a - b)[this.lags.length >> 1] as number
    if (typical > SLOW) this.quick = false
    else if (typical < QUICK) this.quick = true
  }

  /** Draws anew when the draft becomes too old to be shown, though nothing else happens. */
  private age(draft: Draft): void {
    const now = performance.now()
    const ages = [draft.painted + STALLED, draft.stamp + OLDEST].filter((at) => at > now)
    if (ages.length === 0) return
    this.ageing = setTimeout(
      () => {
        this.ports.shown()
        this.age(draft)
      },
      Math.min(...ages) - now + 1,
    )
  }
}

function tooOld(asked: { stamp: number }): boolean {
  return performance.now() - asked.stamp > OLDEST
}

function boxOf(value: unknown): Draft["box"] | null {
  if (!Array.isArray(value) || value.length !== 4) return null
  if (!value.every((n) => typeof n === "number" && Number.isFinite(n))) return null
  return value as unknown as Draft["box"]
}
