/**
 * zlib (RFC 1950, RFC 1951) as masks need it: in one piece, at once, of a known size.
 *
 * Why it is here: browsers have zlib only as a stream of promises, but a run or a draft is sent in the order of the
 * gestures, with the masks of its moment, and must not wait for one. A library (fflate) brings 9 KB where this is 3, and
 * the bundle, which travels in every widget's opening message, is full.
 */

/** The shortest and longest match, and the farthest. */
const [SHORTEST, LONGEST, FARTHEST] = [3, 258, 32_768]
const END = 256
/** How many beginnings are told apart; two may share a number, which is found out. */
const KEYS = 1 << 14
/** The order in which a block gives the lengths of the codes for its lengths. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

/** What each length and each distance code begins at, and how many bits are added to that. */
const LENGTHS = steps(28, 4, SHORTEST).concat([[LONGEST, 0]])
const DISTANCES = steps(30, 2, 1)

/** A canonical Huffman code: how many codes there are of each length, and their symbols in order. */
interface Code {
  readonly counts: readonly number[]
  readonly symbols: readonly number[]
}

const FIXED = [codeOf(fixedLengths()), codeOf(Array(30).fill(5))] as const

/** Unpacks exactly `size` bytes; throws an Error for anything else. No more is allocated. */
export function unzlib(bytes: Uint8Array, size: number): Uint8Array {
  const head = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)
  if ((head & 0x0f20) !== 0x0800 || head % 31 !== 0) throw damaged()
  const out = new Uint8Array(size)
  let [at, length] = [2, 0]
  // Bits of the byte before `at` that were not taken yet, fewer than 8 of them.
  let [held, bits] = [0, 0]

  const take = (count: number) => {
    for (; bits < count; bits += 8) {
      const byte = bytes[at++]
      if (byte === undefined) throw damaged()
      held |= byte << bits
    }
    const value = held & ((1 << count) - 1)
    held >>= count
    bits -= count
    return value
  }
  const symbol = ({ counts, symbols }: Code) => {
    let [code, first, index] = [0, 0, 0]
    for (let long = 1; long < 16; long++) {
      code |= take(1)
      const count = counts[long] ?? 0
      if (code - first < count) return symbols[index + code - first] ?? 0
      index += count
      first = (first + count) << 1
      code <<= 1
    }
    throw damaged()
  }
  const put = (byte: number | undefined) => {
    if (length === size || byte === undefined) throw damaged()
    out[length++] = byte
  }
  const sum = (steps: typeof LENGTHS, code: number) => {
    const step = steps[code]
    if (!step) throw damaged()
    return step[0] + take(step[1])
  }
  const stored = () => {
    held = bits = 0
    const count = take(16)
    if ((take(16) ^ count) !== 0xffff) throw damaged()
    for (let i = 0; i < count; i++) put(bytes[at++])
  }
  const coded = (literals: Code, distances: Code) => {
    for (let found = symbol(literals); found !== END; found = symbol(literals)) {
      if (found < END) put(found)
      else {
        const long = sum(LENGTHS, found - END - 1)
        const back = sum(DISTANCES, symbol(distances))
        for (let i = 0; i < long; i++) put(out[length - back])
      }
    }
  }
  const codes = (): [Code, Code] => {
    const [literals, distances, count] = [take(5) + 257, take(5) + 1, take(4) + 4]
    const lengths: number[] = []
    for (const place of ORDER.slice(0, count)) lengths[place] = take(3)
    const code = codeOf(lengths)
    const all: number[] = []
    while (all.length < literals + distances) {
      const found = symbol(code)
      const times = found < 16 ? 1 : found === 16 ? 3 + take(2) : found === 17 ? 3 + take(3) : 11 + take(7)
      const value = found < 16 ? found : found === 16 ? (all.at(-1) ?? 0) : 0
      for (let i = 0; i < times; i++) all.push(value)
    }
    return [codeOf(all.slice(0, literals)), codeOf(all.slice(literals))]
  }

  for (let last = 0; !last; ) {
    last = take(1)
    const kind = take(2)
    if (kind === 0) stored()
    else if (kind === 1) coded(...FIXED)
    else if (kind === 2) coded(...codes())
    else throw damaged()
  }
  const tail = new DataView(bytes.buffer, bytes.byteOffset + at, bytes.length - at)
  if (length !== size || tail.byteLength !== 4) throw damaged()
  if (tail.getUint32(0) !== adler32(out)) throw damaged()
  return out
}

/** Packs bytes in one block with the fixed code; each place is compared with the latest that began alike. */
export function zlib(bytes: Uint8Array): Uint8Array {
  const out = [0x78, 0x01]
  let [held, count] = [0, 0]
  const put = (value: number, bits: number) => {
    held |= value << count
    for (count += bits; count > 7; count -= 8) {
      out.push(held & 255)
      held >>>= 8
    }
  }
  const literal = (symbol: number) => {
    if (symbol < 144) put(reversed(48 + symbol, 8), 8)
    else if (symbol < END) put(reversed(256 + symbol, 9), 9)
    else if (symbol < 280) put(reversed(symbol - END, 7), 7)
    else put(reversed(symbol - 88, 8), 8)
  }
  const latest = new Int32Array(KEYS).fill(-FARTHEST - 1)
  put(3, 3) // the last block, with the fixed code
  for (let at = 0; at < bytes.length; ) {
    const a = bytes[at] ?? 0
    const key = Math.imul(a | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16), 0x9e3779b1) >>> 18
    const before = latest[key] ?? 0
    latest[key] = at
    const most = Math.min(LONGEST, bytes.length - at)
    let long = 0
    if (at - before <= FARTHEST) while (long < most && bytes[before + long] === bytes[at + long]) long++
    if (long < SHORTEST) {
      literal(a)
      at++
      continue
    }
    const [size, back] = [stepOf(LENGTHS, long), stepOf(DISTANCES, at - before)]
    literal(END + 1 + size.index)
    put(size.rest, size.bits)
    put(reversed(back.index, 5), 5)
    put(back.rest, back.bits)
    at += long
  }
  literal(END)
  put(0, 7)
  const sum = adler32(bytes)
  for (const shift of [24, 16, 8, 0]) out.push((sum >>> shift) & 255)
  return Uint8Array.from(out)
}

/** Bits in the other order: Huffman codes go with their highest bit first, and all else with its lowest. */
function reversed(value: number, bits: number): number {
  let result = 0
  for (let i = 0; i < bits; i++) result |= ((value >> i) & 1) << (bits - 1 - i)
  return result
}

function damaged(): Error {
  return new Error("the mask's data is damaged")
}

/** The code of a value: the step that it lies on, and how far from its beginning. */
function stepOf(steps: typeof LENGTHS, value: number): { index: number; rest: number; bits: number } {
  const index = steps.findLastIndex(([first]) => first <= value)
  const [first, bits] = steps[index] as [number, number]
  return { index, rest: value - first, bits }
}

/** Steps that double their width after each `each` of them, twice `each` for the first. */
function steps(count: number, each: number, first: number): [first: number, bits: number][] {
  return Array.from({ length: count }, (_, i) => {
    const bits = Math.max(0, Math.floor(i / each) - 1)
    const step: [number, number] = [first, bits]
    first += 1 << bits
    return step
  })
}

function fixedLengths(): number[] {
  return Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < END ? 9 : i < 280 ? 7 : 8))
}

/** The canonical code of these lengths; 0 or none for a symbol that is not used. */
function codeOf(lengths: readonly number[]): Code {
  const counts: number[] = []
  const symbols: number[] = []
  for (let long = 1; long < 16; long++) {
    const before = symbols.length
    lengths.forEach((length, symbol) => {
      if (length === long) symbols.push(symbol)
    })
    counts[long] = symbols.length - before
  }
  return { counts, symbols }
}

function adler32(bytes: Uint8Array): number {
  let a = 1
  let b = 0
  for (let i = 0; i < bytes.length; ) {
    // 3800 additions fit in 32 bits before the remainder is needed.
    for (const end = Math.min(i + 3800, bytes.length); i < end; i++) {
      a += bytes[i] ?? 0
      b += a
    }
    a %= 65521
    b %= 65521
  }
  return ((b << 16) | a) >>> 0
}
