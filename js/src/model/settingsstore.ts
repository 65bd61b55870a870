/** The settings as the user chose them: the kernel is told after a pause, or at once. */
import type { Host } from "../kernel/host"
import { effective, ordered, type Settings, settingsFrom, unset } from "./settings"

/** Milliseconds without a change before the kernel is told: a slider moves in many small steps. */
const PAUSE = 300

/** Holds the settings and keeps them and the `settings` trait the same. */
export class SettingsStore {
  /** What was set, whether or not the kernel knows it yet; null where the model decides. */
  asked: Settings
  /** The settings as they will be used: the model's own values, as far as known, in place of null. */
  current: Settings
  private timer: ReturnType<typeof setTimeout> | undefined

  /** `changed` is called with every change, the kernel's too. */
  constructor(
    private readonly host: Host,
    private readonly changed: () => void,
  ) {
    this.asked = this.read()
    this.current = effective(this.asked, this.defaults)
    host.onTraits(["settings"], () => {
      const before = JSON.stringify(this.asked)
      this.put(this.read())
      if (JSON.stringify(this.asked) !== before) changed()
    })
    host.onTraits(["_defaults"], () => this.put(this.asked))
  }

  /** Names of the diffusion models to choose from, the current one included. */
  get models(): readonly string[] {
    const models = this.host.get("_models")
    return models.includes(this.current.model) ? models : [this.current.model, ...models]
  }

  /** Changes some settings; `now` tells the kernel without a pause. */
  change(changes: Partial<Settings>, now = false): void {
    this.put({ ...this.asked, ...ordered(this.asked, this.defaults, changes) })
    clearTimeout(this.timer)
    if (now) this.save()
    else this.timer = setTimeout(() => this.flush(), PAUSE)
    this.changed()
  }

  /** Goes back to the defaults: the model decides where it can. */
  reset(): void {
    this.change(unset(this.defaults), true)
  }

  /** Tells the kernel what it does not know yet. */
  flush(): void {
    clearTimeout(this.timer)
    if (JSON.stringify(this.host.get("settings")) !== JSON.stringify(this.asked)) this.save()
  }

  /** Stops the pause; changes that the kernel does not know yet are dropped. */
  close(): void {
    clearTimeout(this.timer)
  }

  private get defaults(): Settings {
    return settingsFrom(this.host.get("_defaults"))
  }

  private put(asked: Settings): void {
    this.asked = asked
    this.current = effective(asked, this.defaults)
  }

  private read(): Settings {
    return settingsFrom(this.host.get("settings"), unset(this.defaults))
  }

  private save(): void {
    this.host.save({ settings: { ...this.asked } })
  }
}
