/**
 * Drafts: the kernel's quick edits while a region is dragged.
 *
 * One is requested at a time, for the newest position of the pointer, once the one before is on the screen, has been
 * refused or is lost. Drafts never go back in time, since an answer counts only for the request that is under way.
 */
import type { Carried } from "../document/placement"
import type { Corners, KernelMessage } from "../kernel/messages"

/** A decoded draft. */
export interface Draft {
  readonly image: ImageBitmap
  /** The part of the picture that it covers. */
  readonly box: Corners
  readonly seq: number
  /** Where everything was when it was requested (a `placementKey`). */
  readonly placement: string
  /** What was carried when it was requested. */
  readonly carried: readonly Carried[]
  /** When the pointer was there; `performance.now()`. */
  readonly stamp: number
  /** When the draft came on the screen; `performance.now()`. */
  painted: number
}

/** How the newest draft may be shown: whole, or only what it fills in where the handle was. */
export interface ShownDraft {
  readonly draft: Draft
  readonly whole: boolean
}

/** What drafts need from their surroundings. */
export interface DraftPorts {
  /** Requests a draft of what is drawn now and returns what is carried; null if it could not be sent. */
  request(seq: number): readonly Carried[] | null
  /** Something has to be drawn again. */
  redraw(): void
  /** The draft is on the screen. */
  painted(draft: Draft): void
  /** The kernel refused a draft for a reason that the user should know. */
  failed(message: string): void
}

interface Wanted {
  readonly placement: string
  readonly stamp: number
  /** Requested once more, after the pointer came to rest: says nothing about how fast drafts are. */
  readonly repeated: boolean
}

interface Requested extends Wanted {
  readonly seq: number
  readonly carried: readonly Carried[]
  arrived: boolean
}

/** Milliseconds after which a request counts as lost. */
export const LOST = 2_000
/** Milliseconds after which a draft is too old to be shown while the pointer moves on. */
export const OLDEST = 1_000
/** Milliseconds between requests while the kernel fails to answer them. */
const PAUSE = 500
/**
 * Milliseconds from pointer to screen below which drafts are shown whole behind a moving pointer, and above which
 * they no longer are. Slow drafts that jump after the pointer look worse than the browser's drag preview. There are
 * two limits so that the two do not alternate (hysteresis).
 */
const FAST = 300
const SLOW = 380
/** Milliseconds without an answer after which a fast kernel counts as stalled. */
const STALLED = 500
/** Milliseconds before a refused request is repeated while the pointer rests. */
const REPEAT = 100

// Numbers rise across reloads of the page too, since the kernel remembers those of the page before.
let newest = Date.now()

/** Requests drafts and holds the newest one. */
export class Drafts {
  private current: Draft | null = null
  private underWay: Requested | null = null
  private wanted: Wanted | null = null
  /** The newest request of this drag, answered or not. */
  private last: { seq: number; placement: string } | null = null
  private paused = false
  private fast = true
  private readonly lags: number[] = []
  private timer: ReturnType<typeof setTimeout> | undefined
  private ageTimer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly ports: DraftPorts) {}

  /** Asks for a draft of `placement`, where the pointer has been since `stamp`. */
  want(placement: string, stamp: number): void {
    const known = (this.underWay ?? this.last)?.placement
    this.wanted = placement === known ? null : { placement, stamp, repeated: false }
    this.next()
  }

  /** Takes a `drafted` message. */
  async receive(
    message: KernelMessage<"drafted">,
    bytes: Uint8Array<ArrayBuffer> | undefined,
  ): Promise<void> {
    const request = this.underWay
    if (!request || message.seq !== request.seq || request.arrived) return
    request.arrived = true
    const { box, mime } = message
    if (!box || !bytes || bytes.length === 0) {
      console.warn("regiondrag: a draft without a picture was ignored")
      return this.finish()
    }
    if (tooOld(request)) return this.finish()
    let image: ImageBitmap
    try {
      image = await createImageBitmap(new Blob([bytes], { type: mime }))
    } catch {
      console.warn("regiondrag: a draft did not decode")
      if (this.underWay === request) this.finish()
      return
    }
    // While it was decoded, the drag may have ended or the request have been given up.
    if (this.underWay !== request || tooOld(request)) {
      image.close()
      if (this.underWay === request) this.finish()
      return
    }
    const { seq, placement, carried, stamp } = request
    const draft = { image, box, seq, placement, carried, stamp, painted: performance.now() }
    this.drop()
    this.current = draft
    if (!request.repeated) this.measure(draft.painted - stamp)
    this.ports.redraw()
    this.redrawWithAge(draft)
    // The views requested this animation frame before us: once it is our turn, they have drawn.
    requestAnimationFrame(() => {
      if (this.current === draft) {
        draft.painted = performance.now()
        if (!request.repeated) this.ports.painted(draft)
      }
      if (this.underWay === request) this.finish()
    })
  }

  /** Takes an `undrafted` message. */
  refuse({ seq, reason, message }: KernelMessage<"undrafted">): void {
    const request = this.underWay
    if (!request || seq !== request.seq) return
    this.last = null
    if (reason === "error" || reason === "memory") {
      if (message) this.ports.failed(message)
      this.pause(PAUSE)
    } else if (!this.wanted) {
      // The kernel may be preparing the picture, or ending a run.
      this.pause(REPEAT, request.placement)
    }
    this.finish()
  }

  /** Ends the drag: answers still under way are dropped. Returns the newest number of this drag, null for none. */
  end(): number | null {
    const last = this.last
    clearTimeout(this.timer)
    this.paused = false
    this.underWay = null
    this.wanted = null
    this.last = null
    return last?.seq ?? null
  }

  /** What may be shown of the newest draft now that everything is at `placement`. */
  shownAt(placement: string): ShownDraft | null {
    const draft = this.current
    if (!draft) return null
    if (draft.placement === placement) return { draft, whole: true }
    const now = performance.now()
    if (now - draft.stamp > OLDEST) return null
    return { draft, whole: this.fast && now - draft.painted <= STALLED }
  }

  /** Takes the newest draft off the screen. */
  drop(): void {
    clearTimeout(this.ageTimer)
    this.current?.image.close()
    this.current = null
  }

  /** Ends everything. */
  close(): void {
    this.end()
    this.drop()
  }

  private next(): void {
    const wanted = this.wanted
    if (!wanted || this.underWay || this.paused) return
    this.wanted = null
    newest += 1
    const carried = this.ports.request(newest)
    if (!carried) return this.pause(PAUSE)
    this.underWay = { seq: newest, ...wanted, carried, arrived: false }
    this.last = this.underWay
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.repeat(wanted.placement)
      this.finish()
    }, LOST)
  }

  /** Requests the same placement again, unless the pointer has moved on. */
  private repeat(placement: string): void {
    this.wanted ??= { placement, stamp: performance.now(), repeated: true }
  }

  /** The request under way is over: the next one may be made. */
  private finish(): void {
    if (!this.paused) clearTimeout(this.timer)
    this.underWay = null
    this.next()
  }

  /** Makes no request for a while, then repeats `placement` if given and if the pointer still rests there. */
  private pause(milliseconds: number, placement?: string): void {
    this.paused = true
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.paused = false
      if (placement !== undefined) this.repeat(placement)
      this.next()
    }, milliseconds)
  }

  private measure(lag: number): void {
    this.lags.push(lag)
    if (this.lags.length > 5) this.lags.shift()
    const median = [...this.lags].sort((a, b) => a - b)[this.lags.length >> 1] as number
    if (median > SLOW) this.fast = false
    else if (median < FAST) this.fast = true
  }

  /** Draws again when the draft becomes too old to be shown, though nothing else happens. */
  private redrawWithAge(draft: Draft): void {
    const now = performance.now()
    const ages = [draft.painted + STALLED, draft.stamp + OLDEST].filter((at) => at > now)
    if (ages.length === 0) return
    this.ageTimer = setTimeout(
      () => {
        this.ports.redraw()
        this.redrawWithAge(draft)
      },
      Math.min(...ages) - now + 1,
    )
  }
}

function tooOld(request: { stamp: number }): boolean {
  return performance.now() - request.stamp > OLDEST
}
