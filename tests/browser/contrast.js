// What in the widget has less contrast than WCAG's level AA asks: 4.5 for text, 3 for large text, icons, the outlines of
// fields and of what is pressed, the progress, and the ring around what has the focus. What is switched off is exempt,
// and so are sliders and boxes to tick, which the browser draws. Over the picture, the ground is white or black,
// whichever is worse.
() => {
  const numbers = text => text.match(/-?[\d.]+(e-?\d+)?/g).map(Number)
  const colour = text => {
    if (text === 'transparent' || text === 'none') return [0, 0, 0, 0]
    const [r, g, b, a = 1] = numbers(text.replace('color(srgb', ''))
    return text.startsWith('color(') ? [255 * r, 255 * g, 255 * b, a] : [r, g, b, a]
  }
  const over = (top, under) => [0, 1, 2].map(i => top[3] * top[i] + (1 - top[3]) * under[i]).concat(1)
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    return 0.2126 * x + 0.7152 * y + 0.0722 * z
  }
  const ratio = (a, b) => {
    const [high, low] = [light(a), light(b)].sort((m, n) => n - m)
    return (high + 0.05) / (low + 0.05)
  }
  const root = document.querySelector('.rd-root')
  const behind = (node, plain) => {
    const { backgroundColor, backgroundImage } = getComputedStyle(node)
    // Of a gradient, its uppermost layer, which has one colour here.
    const own = colour(/^linear-gradient\((rgb\([^)]*\)), \1\)/.exec(backgroundImage)?.[1] ?? backgroundColor)
    if (own[3] === 1 || node === document.documentElement) return own[3] === 1 ? own : plain
    if (node.parentElement === null) return plain
    const on = node.classList.contains('rd-stage') ? plain : behind(node.parentElement, plain)
    return over(own, on)
  }
  const faded = node =>
    node === root.parentElement ? 1 : +getComputedStyle(node).opacity * faded(node.parentElement)
  const least = (node, text) => Math.min(...[[255, 255, 255, 1], [0, 0, 0, 1]].map(plain => {
    const ground = behind(node, plain)
    const own = colour(text)
    return ratio(over([...own.slice(0, 3), own[3] * faded(node)], ground), ground)
  }))
  const off = node => node.closest(':disabled, [aria-disabled=true], [inert], [hidden]')
  const shown = node => node.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !off(node)
  const found = []
  const check = (node, kind, text, wanted, from = node) => {
    const has = least(from, text)
    if (has < wanted) found.push(`${kind} ${node.className.baseVal ?? node.className} "${
      (node.textContent || node.getAttribute('aria-label') || node.closest('[aria-label]')?.ariaLabel || '')
        .slice(0, 40)}": ${has.toFixed(2)}`)
  }
  let checked = 0
  for (const node of root.querySelectorAll('*')) {
    if (!shown(node)) continue
    const style = getComputedStyle(node)
    const written = [...node.childNodes].some(c => c.nodeType === 3 && c.data.trim())
    const field = node.matches('input:not([type=range], [type=checkbox], [type=file]), textarea, select')
    if (written || field) {
      const size = parseFloat(style.fontSize)
      const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700)
      check(node, 'text', style.color, large ? 3 : 4.5)
      if (field && node.placeholder)
        check(node, 'placeholder', getComputedStyle(node, '::placeholder').color, 4.5)
      checked++
    }
    if (node.matches('svg.rd-icon')) {
      check(node, 'icon', style.color, 3)
      checked++
    }
    // A name in the list of pairs has no frame: it is told by its text.
    if ((field && !node.matches('.rd-name')) || node.matches('[aria-pressed=true]')) {
      check(node, 'outline', style.borderTopColor, 3, node.parentElement)
      checked++
    }
    if (node.matches('progress')) {
      check(node, 'progress', style.accentColor, 3)
      checked++
    }
    if (node.matches(':focus-visible')) {
      check(node, 'focus', style.outlineColor, 3, node.parentElement)
      checked++
    }
  }
  return { found, checked }
}
