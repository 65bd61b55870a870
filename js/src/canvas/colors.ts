/** Shades: handles are red, targets blue, each pair a little different. */
export type Rgb = readonly [number, number, number]

const HANDLES: readonly Rgb[] = [
  [229, 46, 61],
  [245, 110, 40],
  [214, 40, 132],
  [196, 62, 26],
  [255, 94, 98],
  [176, 24, 60],
]
const TARGETS: readonly Rgb[] = [
  [38, 110, 245],
  [0, 160, 210],
  [98, 84, 240],
  [20, 130, 190],
  [70, 150, 255],
  [40, 70, 200],
]
/** The shade of the protected area. */
export const PROTECT: Rgb = [24, 160, 88]

/** The line round what will be carried. */
export const CARRIED: Rgb = [255, 214, 10]

/** The shade of a layer; `color` is the index of the pair's shade, and wraps round. */
export function shade(kind: "handle" | "target" | "protect", color: number): Rgb {
  if (kind === "protect") return PROTECT
  const list = kind === "handle" ? HANDLES : TARGETS
  return list[((color % list.length) + list.length) % list.length] as Rgb
}

/** The colour in CSS syntax. */
export function css(rgb: Rgb, alpha = 1): string {
  return `rgb(${rgb[0]} ${rgb[1]} ${rgb[2]} / ${alpha})`
}
