/** How far a run has come by the clock. */
export interface Pace {
  /** Seconds. */
  readonly elapsed: number
  /** Seconds; null while nothing is known of it. */
  readonly left: number | null
  /** From 0 to 1; null while nothing is known of it. */
  readonly share: number | null
}
