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
  ellipse: "M12 5.5c4.7 0 8.5 2.9 8.5 6.5s-3.8 6.5-8.5 6.5S3.5 15.6 3.5 12 7.300 5.500 12 5.500z",
  move: "M12 3v18 M3 12h18 M9.500 5.500 12 3l2.500 2.500 M9.500 18.500 12 21l2.500-2.500 M5.500 9.500 3 12l2.500 2.500 M18.500 9.500 21 12l-2.500 2.500",
  hand: "M7.500 12V6.200a1.500 1.500 0 0 1 3 0V11 M10.500 11V4.700a1.500 1.500 0 0 1 3 0V11 M13.500 11V5.700a1.500 1.500 0 0 1 3 0V12 M16.500 12V8.200a1.500 1.500 0 0 1 3 0V14c0 4-2.500 7-6.500 7-3 0-4.600-1.300-6-3.600L4.300 14a1.500 1.500 0 0 1 2.500-1.600l.7.9",
  undo: "M8 5 4 9l4 4 M4 9h10a6 6 0 0 1 0 12h-3",
  redo: "m16 5 4 4-4 4 M20 9H10a6 6 0 0 0 0 12h3",
  plus: "M12 5v14 M5 12h14",
  trash: "M4 7h16 M9 7V4h6v3 M6.500 7l1 13h9l1-13 M10 11v5 M14 11v5",
  eye: "M2.500 12S6 5.500 12 5.500 21.500 12 21.500 12 18 18.500 12 18.500 2.500 12 2.500 12z M12 9.200a2.800 2.800 0 1 1 0 5.600 2.800 2.800 0 0 1 0-5.600z",
  eyeOff:
    "M4 4l16 16 M9.700 5.800A9.600 9.600 0 0 1 12 5.500c6 0 9.500 6.500 9.500 6.500a17 17 0 0 1-3 3.700 M6.200 7.400A16.500 16.500 0 0 0 2.500 12S6 18.500 12 18.500a9.500 9.500 0 0 0 4-.9",
  lock: "M6 11h12v9H6z M8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  unlock: "M6 11h12v9H6z M8.500 11V8a3.500 3.500 0 0 1 6.800-1.200",
  copy: "M9 9h11v11H9z M15 9V4H4v11h5",
  up: "m6 14 6-6 6 6",
  down: "m6 10 6 6 6-6",
  play: "M7 4.500v15l12-7.500z",
  stop: "M6 6h12v12H6z",
  live: "M13 3 5 13.500h6L10.500 21 19 10.500h-6z",
  gauge: "M4.200 17.500a8.500 8.500 0 1 1 15.600 0 M12 14.500l4.200-4.700 M12 14.500v.1",
  gear: "M4 7h9 M17 7h3 M15 4.800a2.200 2.200 0 1 1 0 4.400 2.200 2.200 0 0 1 0-4.400z M4 17h3 M11 17h9 M9 14.800a2.200 2.200 0 1 1 0 4.400 2.200 2.200 0 0 1 0-4.400z",
  help: "M12 3.500a8.500 8.500 0 1 1 0 17 8.500 8.500 0 0 1 0-17z M9.600 9.600a2.500 2.500 0 1 1 3.600 2.300c-.8.4-1.200.9-1.200 1.800 M12 16.600v.1",
  open: "M3.500 18.500V6h6l2 2.500h9v10z",
  fit: "M4 9V4h5 M20 9V4h-5 M4 15v5h5 M20 15v5h-5",
  check: "m5 12.500 4.500 4.500L19 7.500",
  cross: "m6 6 12 12 M18 6 6 18",
  compare: "M12 3v18 M4 6h5v12H4z M15 6h5v12h-5",
  split: "m9 8-4 4 4 4 M15 8l4 4-4 4",
  side: "M3.500 5.500h7v13h-7z M13.500 5.500h7v13h-7z",
  dice: "M5 5h14v14H5z M9 9v.1 M15 9v.1 M12 12v.1 M9 15v.1 M15 15v.1",
  save: "M12 4v11 M7.500 10.500 12 15l4.500-4.500 M5 19.500h14",
  flipX: "M12 3v18 M9 7 3.500 17H9z M15 7l5.500 10H15z",
  flipY: "M3 12h18 M7 9l10-5.500V9z M7 15l10 5.500V15z",
  wand: "m4 20 10-10 M14.500 4v3 M19 8.500h-3 M18 4.500 16.500 6 M19.500 13.500v2.500 M18.200 14.800h2.600",
  ghost: "M3.500 3.500h3 M9.500 3.500h4v3 M3.500 6.500v3 M3.500 12.500v1h3 M10.500 10.500h10v10h-10z",
  expand: "M14 4h6v6 M20 4l-7 7 M10 20H4v-6 M4 20l7-7",
  shield: "M12 3.500 5 6v5.500c0 4.300 2.800 7.500 7 9 4.200-1.500 7-4.700 7-9V6z",
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
