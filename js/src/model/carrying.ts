/** What handles carry: reading the kernel's findings, and the pair's choice in words. */
import type { Finding } from "../document/findings"
import type { Carry, Pair } from "../document/pair"
import type { Size } from "../geometry/viewport"
import { decodeMask } from "../kernel/codec"
import { bytesOf } from "../kernel/fields"
import type { Buffers } from "../kernel/host"
import type { KernelMessage } from "../kernel/messages"

/** The finding in a `carried` message, for a picture of this size. Throws an Error for masks that cannot be read. */
export function findingIn(message: KernelMessage<"carried">, buffers: Buffers, size: Size): Finding {
  const mask = (index: number) =>
    decodeMask(bytesOf(buffers[index]) ?? new Uint8Array(0), size.width, size.height)
  const { verdict, words, larger } = message
  return { verdict, words, mask: mask(0), larger: larger ? mask(1) : null }
}

/** What a pair carries, the setting `matte` included. */
export function carryOf(pair: Pair, matte: unknown): Carry {
  return pair.carry ?? (matte === "none" ? "painted" : "object")
}

/** What one press makes of it. */
export function otherCarry(carry: Carry): Carry {
  return carry === "object" ? "painted" : "object"
}

/** What the user must be told of a finding; empty if all is as asked for. */
export function surpriseIn({ verdict, words }: Finding, asked: Carry): string {
  const nothing = verdict === "painted" && asked === "object"
  return verdict === "beyond" || nothing ? words : ""
}

/** The kernel's words as a sentence of their own. */
export function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1)
}
