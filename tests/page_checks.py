"""What a page of ours is asked in a browser: scripts, and the limits for their answers."""

from __future__ import annotations

# The darkest and the lightest that text and its ground may be from each other: WCAG 2.2, 1.4.3.
LEAST_CONTRAST = 4.5
SMALLEST_TEXT = 9.0  # CSS pixels

CONTRAST = """
(() => {
  const luminance = text => {
    const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (color !== "rgba(0, 0, 0, 0)") return color;
    }
  };
  let least = [Infinity, ""];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own) continue;
    const style = getComputedStyle(element);
    const ink = element.closest("svg") ? style.fill : style.color;
    const pair = [luminance(ink), luminance(ground(element))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < least[0]) least = [ratio, element.textContent.trim()];
  }
  return least;
})()
"""
SIZES = """
[...document.querySelectorAll("svg text")].map(text =>
  parseFloat(getComputedStyle(text).fontSize)
  * text.closest("svg").getBoundingClientRect().width / text.closest("svg").viewBox.baseVal.width)
"""
CUT = """
[...document.querySelectorAll("svg text")].filter(text => {
  const inner = text.getBoundingClientRect();
  const outer = text.closest("svg").getBoundingClientRect();
  return inner.left < outer.left - 1 || inner.right > outer.right + 1
      || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
}).map(text => text.textContent)
"""
# Labels of one drawing that touch each other; a number beside a point may touch another's.
OVERLAPS = """
[...document.querySelectorAll("svg")].flatMap(svg => {
  const boxes = [...svg.querySelectorAll("text")].filter(text => !/^\\d+$/.test(text.textContent)
      || text.closest("[id*=tick]")).map(text => [text.textContent, text.getBoundingClientRect()]);
  return boxes.flatMap(([one, a], index) => boxes.slice(index + 1).filter(([, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > -2 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3).map(([other]) => [one, other]));
})
"""
