/** The settings of an edit: their type, their defaults, and how they are read from a trait. */
import { SETTINGS } from "./settings.generated"
import type { SettingSpec, SettingValue, ValueOf } from "./settingspec"

/** What an edit depends on besides its regions. */
export type Settings = { readonly [S in (typeof SETTINGS)[number] as S["name"]]: ValueOf<S> }

/** The name of a setting. */
export type SettingName = keyof Settings

/** The table's rows, in the order in which they are shown. */
export const SPECS: readonly (SettingSpec & { readonly name: SettingName })[] = [...SETTINGS].sort(
  (a, b) => a.order - b.order,
)

/** The settings if the kernel says nothing. */
export const DEFAULTS = Object.fromEntries(SETTINGS.map((s) => [s.name, s.default])) as unknown as Settings

/** Reads settings from a trait; each that is missing or of the wrong type keeps the value of `fallback`. */
export function settingsFrom(
  given: Readonly<Record<string, unknown>>,
  fallback: Settings = DEFAULTS,
): Settings {
  const read = SPECS.map((spec) => [
    spec.name,
    fits(spec, given[spec.name]) ? given[spec.name] : fallback[spec.name],
  ])
  return Object.fromEntries(read) as Settings
}

/** Start is never below stop: changing one takes the other along. */
export function ordered(settings: Settings, changes: Partial<Settings>): Partial<Settings> {
  const { start, stop } = { ...settings, ...changes }
  if (stop <= start) return changes
  return changes.start === undefined ? { ...changes, start: stop } : { ...changes, stop: start }
}

/** A seed for another try. */
export function randomSeed(): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) % 1_000_000
}

function fits(spec: SettingSpec, value: unknown): value is SettingValue {
  // Which values are allowed is the kernel's to say: a newer one may know more choices.
  const types = (spec.choices ?? []).map((choice) => typeof choice.value)
  if (value === null)
    return spec.default === null || (spec.choices ?? []).some((choice) => choice.value === null)
  if (spec.type === "integer" || spec.type === "number") return Number.isFinite(value)
  if (spec.type === "flag") return typeof value === "boolean"
  return spec.choices ? types.includes(typeof value) : typeof value === "string"
}
