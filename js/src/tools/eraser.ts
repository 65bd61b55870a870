/** The brush, erasing. */
import { Brush } from "./brush"

/** The eraser. */
export class Eraser extends Brush {
  override readonly id = "eraser"
  override readonly icon = "eraser"
  override readonly label = "Eraser"
  override readonly key = "e"
  override readonly hint = "Erase part of the region. Right button or Alt paints"
  protected override readonly erases = true
}
