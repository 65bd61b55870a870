/** Line icons on a grid of 24, drawn with the text's colour. */
const PATHS = {
  brush:
    "M9.5 14.5 18.6 5.4a1.9 1.9 0 0 1 2.7 2.7L12.2 17.2 M9.6 14.4c-2.6-.6-4.6 1-4.8 3.2-.1 1.3-.9 2-2 2.2 3.4 1.6 8.7 1 9.2-2.6",
  eraser:
    "M8 20h12 M5.2 13.6 13.6 5.2a2 2 0 0 1 2.8 0l3.4 3.4a2 2 0 0 1 0 2.8L11.2 20H8.4l-3.2-3.6a2 2 0 0 1 0-2.8z M9.4 9.4l6.2 6.2",
  lasso:
    "M7.5 15.5C4.8 14.6 3 12.6 3 10.3 3 6.8 7 4 12 4s9 2.8 9 6.3-4 6.2-9 6.2c-.7 0-1.4-.1-2-.2 M8.6 14.2a2 2 0 1 1-2 2.3 2 2 0 0 1 2-2.3z M7.4 18.2c.4 1.2.2 2.2-.6 3",
  polygon: "M6 7.5 14 4l6 7-4.5 8.5-10-1.5z",
  rectangle: "M4 6h16v12H4z",
  ellipse: "M12 5.5c4.7 0 8.5 2.9 8.5 6.5s-3.8 6.5-8.5 6.5S3.5 15.6 3.5 12 7.3 5.5 12 5.5z",
  move: "M12 3v18 M3 12h18 M9.5 5.5 12 3l2.5 2.5 M9.5 18.5 12 21l2.5-2.5 M5.5 9.5 3 12l2.5 2.5 M18.5 9.5 21 12l-2.5 2.5",
  pin: "M12 21v-8 M8 4h8 M9.5 4v4.5L7 12.5h10L14.5 8.5V4",
  undo: "M8 5 4 9l4 4 M4 9h10a6 6 0 0 1 0 12h-3",
  redo: "m16 5 4 4-4 4 M20 9H10a6 6 0 0 0 0 12h3",
  plus: "M12 5v14 M5 12h14",
  trash: "M4 7h16 M9 7V4h6v3 M6.5 7l1 13h9l1-13 M10 11v5 M14 11v5",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z M12 9.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6z",
  eyeOff:
    "M4 4l16 16 M9.7 5.8A9.6 9.6 0 0 1 12 5.5c6 0 9.5 6.5 9.5 6.5a17 17 0 0 1-3 3.7 M6.2 7.4A16.5 16.5 0 0 0 2.5 12S6 18.5 12 18.5a9.5 9.5 0 0 0 4-.9",
  lock: "M6 11h12v9H6z M8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  unlock: "M6 11h12v9H6z M8.5 11V8a3.5 3.5 0 0 1 6.8-1.2",
  copy: "M9 9h11v11H9z M15 9V4H4v11h5",
  up: "m6 14 6-6 6 6",
  down: "m6 10 6 6 6-6",
  play: "M7 4.5v15l12-7.5z",
  stop: "M6 6h12v12H6z",
  live: "M13 3 5 13.5h6L10.5 21 19 10.5h-6z",
  gauge: "M4.2 17.5a8.5 8.5 0 1 1 15.6 0 M12 14.5l4.2-4.7 M12 14.5v.1",
  gear: "M4 7h9 M17 7h3 M15 4.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4z M4 17h3 M11 17h9 M9 14.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4z",
  help: "M12 3.5a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17z M9.6 9.6a2.5 2.5 0 1 1 3.6 2.3c-.8.4-1.2.9-1.2 1.8 M12 16.6v.1",
  open: "M3.5 18.5V6h6l2 2.5h9v10z",
  fit: "M4 9V4h5 M20 9V4h-5 M4 15v5h5 M20 15v5h-5",
  check: "m5 12.5 4.5 4.5L19 7.5",
  cross: "m6 6 12 12 M18 6 6 18",
  compare: "M12 3v18 M4 6h5v12H4z M15 6h5v12h-5",
  split: "m9 8-4 4 4 4 M15 8l4 4-4 4",
  side: "M3.5 5.5h7v13h-7z M13.5 5.5h7v13h-7z",
  dice: "M5 5h14v14H5z M9 9v.1 M15 9v.1 M12 12v.1 M9 15v.1 M15 15v.1",
  save: "M12 4v11 M7.5 10.5 12 15l4.5-4.5 M5 19.5h14",
  flipX: "M12 3v18 M9 7 3.5 17H9z M15 7l5.5 10H15z",
  flipY: "M3 12h18 M7 9l10-5.5V9z M7 15l10 5.5V15z",
  wand: "m4 20 10-10 M14.5 4v3 M19 8.5h-3 M18 4.5 16.5 6 M19.5 13.5v2.5 M18.2 14.8h2.6",
  select: "M4 5V4h2 M10 4h3 M17 4h2v2 M4 9v3 M4 16v2h2 M11 10l9 4-4 1.5L14.5 20z",
  magnet: "M5 4h4v8a3 3 0 0 0 6 0V4h4v8a7 7 0 0 1-14 0z M5 8h4 M15 8h4",
  ghost: "M3.5 3.5h3 M9.5 3.5h4v3 M3.5 6.5v3 M3.5 12.5v1h3 M10.5 10.5h10v10h-10z",
  expand: "M14 4h6v6 M20 4l-7 7 M10 20H4v-6 M4 20l7-7",
} as const

/** The name of an icon. */
export type IconName = keyof typeof PATHS

const SVG = "http://www.w3.org/2000/svg"

/** A new icon. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg")
  svg.setAttribute("viewBox", "0 0 24 24")
  svg.setAttribute("class", "rd-icon")
  svg.setAttribute("aria-hidden", "true")
  setIcon(svg, name)
  return svg
}

/** Replaces the drawing of an icon. */
export function setIcon(svg: SVGSVGElement, name: IconName): void {
  if (svg.dataset.icon === name) return
  svg.dataset.icon = name
  const path = document.createElementNS(SVG, "path")
  path.setAttribute("d", PATHS[name])
  svg.replaceChildren(path)
}
