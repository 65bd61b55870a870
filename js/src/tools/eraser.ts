/** The brush the other way round. */
import { Brush } from "./brush"

export class Eraser extends Brush {
  override readonly id = "eraser"
  override readonly label = "Eraser"
  override readonly key = "e"
  override readonly hint = "Rub out part of the region. Right button or Alt paints"
  protected override readonly erases = true
}
