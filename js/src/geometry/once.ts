/** Remembers what was worked out for things that never change. */

/** The function, but each answer is worked out once and kept as long as its first argument; the rest are plain values. */
export function once<K extends object, R extends readonly unknown[], V>(
  make: (key: K, ...rest: R) => V,
): (key: K, ...rest: R) => V {
  const known = new WeakMap<K, Map<string, V>>()
  return (key, ...rest) => {
    const answers = known.get(key) ?? new Map<string, V>()
    known.set(key, answers)
    const name = rest.join()
    if (!answers.has(name)) answers.set(name, make(key, ...rest))
    return answers.get(name) as V
  }
}
