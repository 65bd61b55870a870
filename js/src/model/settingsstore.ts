/** The settings as the user chose them: the kernel is told after a pause, or at once. */
import type { Host } from "../kernel/host"
import { type Settings, settingsFrom } from "./settings"

/** Milliseconds without a change before the kernel is told: a slider moves in many small steps. */
const PAUSE = 300

/** Holds the settings and keeps them and the `settings` trait the same. */
export class SettingsStore {
  /** The settings now, whether or not the kernel knows them yet. */
  current: Settings
  private timer: ReturnType<typeof setTimeout> | undefined

  /** `changed` is called with every change, the kernel's too. */
  constructor(
    private readonly host: Host,
    private readonly changed: () => void,
  ) {
    this.current = this.read()
    host.onTraits(["settings"], () => {
      const before = JSON.stringify(this.current)
      this.current = this.read()
      if (JSON.stringify(this.current) !== before) changed()
    })
  }

  /** The settings that `reset` gives: those of the model. */
  get defaults(): Settings {
    return settingsFrom(this.host.get("_defaults"))
  }
  /** Names of the diffusion models to choose from, the current one included. */
  get models(): readonly string[] {
    const models = this.host.get("_models")
    return models.includes(this.current.model) ? models : [this.current.model, ...models]
  }

  /** Changes some settings; `now` tells the kernel without a pause. */
  change(changes: Partial<Settings>, now = false): void {
    this.current = { ...this.current, ...changes }
    clearTimeout(this.timer)
    if (now) this.save()
    else this.timer = setTimeout(() => this.flush(), PAUSE)
    this.changed()
  }

  /** Goes back to the defaults. */
  reset(): void {
    this.change(this.defaults, true)
  }

  /** Tells the kernel what it does not know yet. */
  flush(): void {
    clearTimeout(this.timer)
    if (JSON.stringify(this.host.get("settings")) !== JSON.stringify(this.current)) this.save()
  }

  /** Stops the pause; what was not told yet is not told. */
  close(): void {
    clearTimeout(this.timer)
  }

  private read(): Settings {
    return settingsFrom(this.host.get("settings"), this.defaults)
  }

  private save(): void {
    this.host.save({ settings: { ...this.current } })
  }
}
