/** What the table of settings says about one setting, and the types that follow from it. */

/** A setting's value, as the `settings` trait has it. */
export type SettingValue = string | number | boolean | null

/** One value that a setting may have, with the words for it. */
export interface SettingChoice {
  readonly value: SettingValue
  readonly label: string
}

/** One setting. The drawer, the defaults and the type `Settings` are made from the list of these. */
export interface SettingSpec {
  /** The key in the `settings` trait. */
  readonly name: string
  readonly type: "text" | "integer" | "number" | "choice" | "flag"
  readonly default: SettingValue
  /** The values to choose from; a `choice` without any takes the kernel's list of models. */
  readonly choices?: readonly SettingChoice[]
  /** The smallest and the largest value; of a text, `max` is the greatest length. */
  readonly min?: number
  readonly max?: number
  readonly step?: number
  /** The control's name. */
  readonly label: string
  /** One line below the control. */
  readonly help: string
  /** Settings stand in this order. */
  readonly order: number
}

/** The type of a setting's value. */
export type ValueOf<S extends SettingSpec> =
  | (S extends { readonly choices: readonly SettingChoice[] }
      ? S["choices"][number]["value"]
      : S["type"] extends "integer" | "number"
        ? number
        : S["type"] extends "flag"
          ? boolean
          : string)
  | (S["default"] extends null ? null : never)
