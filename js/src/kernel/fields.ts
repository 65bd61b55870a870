/** Readers of untrusted values. Everything that arrives over the wire passes through these before it is used. */

/** Returns the value in its proper type, or undefined if it is something else. */
export type Reader<T> = (value: unknown) => T | undefined

/** One reader per field of an object. */
export type Fields = Readonly<Record<string, Reader<unknown>>>

/** The type of the object that `object(fields)` reads. */
export type Parsed<F extends Fields> = { readonly [K in keyof F]: Exclude<ReturnType<F[K]>, undefined> }

/** A string. */
export const text: Reader<string> = (value) => (typeof value === "string" ? value : undefined)

/** A finite number. */
export const number: Reader<number> = (value) =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined

/** A whole number. */
export const integer: Reader<number> = (value) => (Number.isInteger(value) ? (value as number) : undefined)

/** True or false. */
export const flag: Reader<boolean> = (value) => (typeof value === "boolean" ? value : undefined)

/** Any plain object; its values are not looked at, and it is returned as it is. */
export const record: Reader<Readonly<Record<string, unknown>>> = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined

/** What `reader` reads, or `fallback` if it reads nothing. */
export function or<T>(reader: Reader<T>, fallback: T): Reader<T> {
  return (value) => reader(value) ?? fallback
}

/** What `reader` reads, or null if it reads nothing. */
export function nullable<T>(reader: Reader<T>): Reader<T | null> {
  return (value) => reader(value) ?? null
}

/** One of the given strings. */
export function oneOf<const T extends string>(...choices: readonly T[]): Reader<T> {
  return (value) => choices.find((choice) => choice === value)
}

/** A list; items that `item` cannot read are left out. */
export function list<T>(item: Reader<T>): Reader<readonly T[]> {
  return (value) =>
    Array.isArray(value)
      ? value.map(item).filter((read): read is Awaited<T> & T => read !== undefined)
      : undefined
}

/** An object with exactly these fields; undefined if one of them cannot be read. Other fields are ignored. */
export function object<F extends Fields>(fields: F): Reader<Parsed<F>> {
  return (value) => {
    const given = record(value)
    if (!given) return undefined
    const read: Record<string, unknown> = {}
    for (const [name, reader] of Object.entries(fields)) {
      const field = reader(given[name])
      if (field === undefined) return undefined
      read[name] = field
    }
    return read as Parsed<F>
  }
}

/** Bytes from a DataView (Jupyter), Uint8Array (Colab), ArrayBuffer (others) or array of numbers (VS Code). */
export function bytesOf(value: unknown): Uint8Array<ArrayBuffer> | null {
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength)
  }
  if (Array.isArray(value) && value.every((n) => typeof n === "number")) return Uint8Array.from(value)
  return null
}
