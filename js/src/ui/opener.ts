/** Opens a new picture by file picker, drop or paste, and asks before drawings are lost. */
import { hasDrawings } from "../document/regions"
import { button, el, listen, setModal } from "../dom/elements"
import { LARGEST_FILE } from "../kernel/upload"
import { flawOf, LEAST_SIDE, NOT_A_PICTURE } from "../model/picturefile"
import type { WidgetModel } from "../model/widgetmodel"

/** Takes picture files from the picker, from drops and from pastes. */
export class Opener {
  private readonly input: HTMLInputElement

  constructor(
    private readonly widget: WidgetModel,
    private readonly root: HTMLElement,
    /** Called with every paste outside a text field, and whether it was a picture. */
    private readonly pasted: (picture: boolean) => void,
    private readonly signal: AbortSignal,
  ) {
    this.input = el("input", {
      type: "file",
      accept: "image/*",
      class: "rd-hidden",
      "aria-label": "Picture file",
      tabindex: -1,
    })
    root.append(this.input)
    listen(this.input, "change", () => this.take(this.input.files), signal)
    listen(root, "dragover", (e) => this.over(e), signal)
    listen(root, "dragleave", () => root.classList.remove("rd-dropping"), signal)
    listen(root, "drop", (e) => this.drop(e), signal)
    listen(root, "paste", (e) => this.paste(e), signal)
  }

  /** Opens the file picker. */
  pick(): void {
    this.input.value = ""
    this.input.click()
  }

  private over(event: DragEvent): void {
    if (this.widget.readOnly || !event.dataTransfer?.types.includes("Files")) return
    event.preventDefault()
    event.stopPropagation()
    event.dataTransfer.dropEffect = "copy"
    this.root.classList.add("rd-dropping")
  }

  private drop(event: DragEvent): void {
    this.root.classList.remove("rd-dropping")
    if (this.widget.readOnly || !event.dataTransfer?.files.length) return
    event.preventDefault()
    event.stopPropagation()
    this.take(event.dataTransfer.files)
  }

  private paste(event: ClipboardEvent): void {
    if ((event.target as HTMLElement).matches("input, textarea:not(.rd-key-field)")) return
    event.preventDefault()
    event.stopPropagation()
    if (this.widget.readOnly) return
    const files = event.clipboardData?.files
    const picture = files !== undefined && files.length > 0
    this.pasted(picture)
    if (picture) this.take(files)
  }

  private take(files: FileList | null): void {
    const file = [...(files ?? [])].find((f) => f.type.startsWith("image/") || f.type === "")
    if (file) void this.check(file)
    else if (files?.length) this.refuse(NOT_A_PICTURE)
  }

  /** Nothing is asked about a file that cannot be read, or is too large, anyway. */
  private async check(file: File): Promise<void> {
    const flaw = file.size > LARGEST_FILE ? "" : await flawOf(file)
    if (this.signal.aborted) return
    if (flaw) this.refuse(flaw)
    else if (file.size <= LARGEST_FILE && hasDrawings(this.widget.store.regions)) this.ask(file)
    else void this.widget.load(file)
  }

  private refuse(flaw: string): void {
    this.widget.report(flaw, `Open a PNG, JPEG or WebP file of ${LEAST_SIDE} px a side or more.`)
  }

  private ask(file: File): void {
    const back = document.activeElement as HTMLElement | null
    const dialog = el("div", { class: "rd-veil" })
    const done = () => {
      setModal(dialog, false)
      dialog.remove()
      back?.focus({ preventScroll: true })
    }
    const replace = button({
      text: "Replace the picture",
      kind: "primary",
      signal: this.signal,
      act: () => {
        done()
        void this.widget.load(file)
      },
    })
    const keep = button({ text: "Keep drawing", signal: this.signal, act: done })
    const box = el(
      "div",
      { class: "rd-dialog", role: "alertdialog", "aria-modal": "true", "aria-label": "Replace the picture?" },
      el("h3", {}, "Replace the picture?"),
      el("p", {}, `“${file.name}” takes this picture's place. The regions drawn here will be lost.`),
      el("div", { class: "rd-row" }, keep, replace),
    )
    listen(
      box,
      "keydown",
      (e) => {
        if (e.key === "Escape") {
          e.stopPropagation()
          done()
        }
      },
      this.signal,
    )
    dialog.append(box)
    this.root.append(dialog)
    setModal(dialog, true)
    keep.focus()
  }
}
