/** The settings as the person chose them: the kernel hears of them after a pause, or at once. */
import type { Host } from "../kernel/host"
import { type Settings, settingsFrom } from "./settings"

/** Milliseconds without a change after which the kernel is told: a slider moves in many small steps. */
const PAUSE = 300

export class Choices {
  settings: Settings
  private timer: ReturnType<typeof setTimeout> | undefined

  /** `changed` is called with every change, the kernel's too. */
  constructor(
    private readonly host: Host,
    private readonly changed: () => void,
  ) {
    this.settings = settingsFrom(host.record("settings"), this.defaults)
    host.on("change:settings", () => {
      const before = JSON.stringify(this.settings)
      this.settings = settingsFrom(host.record("settings"), this.defaults)
      if (JSON.stringify(this.settings) !== before) changed()
    })
  }

  get defaults(): Settings {
    return settingsFrom(this.host.record("_defaults"))
  }
  get models(): string[] {
    const models = this.host.list("_models").filter((m) => typeof m === "string") as string[]
    return models.includes(this.settings.model) ? models : [this.settings.model, ...models]
  }

  change(fields: Partial<Settings>, now: boolean): void {
    this.settings = { ...this.settings, ...fields }
    clearTimeout(this.timer)
    if (now) this.host.save({ settings: { ...this.settings } })
    else this.timer = setTimeout(() => this.flush(), PAUSE)
    this.changed()
  }

  /** Tells the kernel what it does not know yet. */
  flush(): void {
    clearTimeout(this.timer)
    if (JSON.stringify(this.host.record("settings")) !== JSON.stringify(this.settings)) {
      this.host.save({ settings: { ...this.settings } })
    }
  }

  close(): void {
    clearTimeout(this.timer)
  }
}
