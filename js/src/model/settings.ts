/** The settings of an edit: their type, their defaults, and how they are read from a trait. */
import { SETTINGS } from "./settings.generated"
import type { SettingSpec, SettingValue, ValueOf } from "./settingspec"

/** What an edit depends on besides its regions. Null, where the table allows it, leaves the choice to the model. */
export type Settings = { readonly [S in (typeof SETTINGS)[number] as S["name"]]: ValueOf<S> }

/** The name of a setting. */
export type SettingName = keyof Settings

/** The table's rows, in the order in which they are shown. */
export const SPECS: readonly (SettingSpec & { readonly name: SettingName })[] = [...SETTINGS].sort(
  (a, b) => a.order - b.order,
)

/** The settings if the kernel says nothing. */
export const DEFAULTS = settingsOf((spec) => spec.default)

/** Reads settings from a trait; each that is missing or of the wrong type keeps the value of `fallback`. */
export function settingsFrom(
  given: Readonly<Record<string, unknown>>,
  fallback: Settings = DEFAULTS,
): Settings {
  return settingsOf((spec) => {
    const value = given[spec.name]
    return fits(spec, value) ? value : fallback[spec.name]
  })
}

/** The defaults, with null wherever the model may decide. */
export function unset(defaults: Settings): Settings {
  return settingsOf((spec) => (spec.default === null ? null : defaults[spec.name]))
}

/**
 * The settings as they will be used: `own`, the model's values, stand in for null. A value of the model's own gives
 * way where stop would lie above start.
 */
export function effective(asked: Settings, own: Settings): Settings {
  const filled = settingsOf((spec) => asked[spec.name] ?? own[spec.name])
  const { start, stop } = filled as Range
  if (start === null || stop === null || stop <= start) return filled
  const { start: askedStart, stop: askedStop } = asked as Range
  return { ...filled, start: askedStart ?? start, stop: askedStop ?? start }
}

/** Keeps start at or above stop: `changes` to one of them take the other along, unless the model decides on stop. */
export function ordered(asked: Settings, own: Settings, changes: Partial<Settings>): Partial<Settings> {
  const { start, stop } = effective({ ...asked, ...changes }, own) as Range
  if (start === null || stop === null || stop <= start) return changes
  return changes.start === undefined ? { ...changes, start: stop } : { ...changes, stop: start }
}

/** A seed for another try. */
export function randomSeed(): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) % 1_000_000
}

/** The two settings that depend on each other. */
interface Range {
  readonly start: number | null
  readonly stop: number | null
}

function settingsOf(pick: (spec: (typeof SPECS)[number]) => SettingValue): Settings {
  return Object.fromEntries(SPECS.map((spec) => [spec.name, pick(spec)])) as unknown as Settings
}

/** Whether a value has the right type. Which values are allowed is for the kernel to say: a newer one may have more. */
function fits(spec: SettingSpec, value: unknown): value is SettingValue {
  const choices = spec.choices ?? []
  if (value === null) return spec.default === null || choices.some((choice) => choice.value === null)
  if (spec.type === "integer" || spec.type === "number") return Number.isFinite(value)
  if (spec.type === "flag") return typeof value === "boolean"
  return spec.choices
    ? choices.some((choice) => typeof choice.value === typeof value)
    : typeof value === "string"
}
