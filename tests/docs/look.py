"""What is looked for in a page that a browser has drawn: scripts that give lists of findings."""

from __future__ import annotations

# All that is folded away is unfolded first.
OPEN = 'document.querySelectorAll("details").forEach(e => e.open = true)'

_COMMON = r"""() => {
const found = [];
const drawn = e => e.checkVisibility({opacityProperty: true, visibilityProperty: true});
const name = e => e.tagName.toLowerCase() + (e.id ? "#" + e.id : "")
    + [...e.classList].map(c => "." + c).join("");
const short = text => (text ?? "").trim().replace(/\s+/g, " ").slice(0, 80);
function* texts() {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) if (walker.currentNode.data.trim()) yield walker.currentNode;
}
"""

# Nothing but code and formulas can be moved sideways, nothing is cut off, and nothing sticks out of
# the window. The theme's drawers wait outside it; what is for screen readers alone has one pixel.
LAYOUT = (
    _COMMON
    + r"""
const root = document.documentElement, free = "pre, .formula";
const aside = ".sidebar-drawer, .toc-drawer, .skip-to-content, .visually-hidden";
if (root.scrollWidth > root.clientWidth)
    found.push(`${root.scrollWidth} wide on a screen of ${root.clientWidth}`);
for (const e of document.body.querySelectorAll("*")) {
    if (e.closest(aside) !== null || e.parentElement.closest(free) !== null || !drawn(e)) continue;
    if (!e.matches(free) && getComputedStyle(e).overflowX !== "visible"
        && e.clientWidth > 1 && e.scrollWidth > e.clientWidth + 1)
        found.push(`${name(e)}: ${e.scrollWidth} wide in ${e.clientWidth}: ${short(e.innerText)}`);
    const {left, right, width} = e.getBoundingClientRect();
    if (width > 0 && (right > root.clientWidth + 1 || left < -1))
        found.push(`${name(e)} sticks out: from ${Math.round(left)} to ${Math.round(right)}`);
}
return found.slice(0, 20);
}"""
)

# Pictures that are not there, formulas and Markdown that were not rendered.
TEXT = (
    _COMMON
    + r"""
for (const image of document.images)
    if (image.src && !(image.complete && image.naturalWidth > 0))
        found.push(`an image that is not there: ${image.src}`);
for (const formula of document.querySelectorAll("math")) {
    const {width, height} = formula.getBoundingClientRect();
    if (drawn(formula) && (width < 2 || height < 2))
        found.push(`an empty formula: ${short(formula.textContent)}`);
    if (formula.querySelector("merror") || formula.textContent.includes("\\"))
        found.push(`a broken formula: ${short(formula.textContent)}`);
}
if (document.querySelector("article math") !== null
    && ![...document.fonts].some(f => f.family.includes("Math") && f.status === "loaded"))
    found.push("the font of the formulas is not loaded");
const raw = new RegExp([
    /\\[a-zA-Z]+|\\[\[\]()]/,                  // TeX
    /(^|[\s(])\$[^$\n]+\$|\$\$/,
    /\{[a-z][a-z:-]*\}/,                       // MyST's roles and directives
    /\]\(|\*\*|`/,                             // Markdown's links, bold letters, code
].map(e => e.source).join("|"));
const code = "pre, code, script, style, noscript, math, svg, .sig";
for (const text of texts()) {
    const start = text.parentElement.closest(code) === null ? text.data.search(raw) : -1;
    if (start >= 0)
        found.push(`unrendered: ${short(text.data.slice(Math.max(0, start - 20)))}`);
}
return found;
}"""
)

# Text that can hardly be told from what lies behind it: WCAG asks for a ratio of 4.5, and for 3 if
# letters are large. A colour is read off a canvas, in whatever way it is written.
CONTRAST = (
    _COMMON
    + r"""
const canvas = Object.assign(document.createElement("canvas"), {width: 1, height: 1});
const brush = canvas.getContext("2d", {willReadFrequently: true});
const known = new Map();
const rgba = colour => {
    if (!known.has(colour)) {
        brush.clearRect(0, 0, 1, 1);
        brush.fillStyle = colour;
        brush.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
        known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
};
const over = (top, below) => [0, 1, 2].map(i => top[3] * top[i] + (1 - top[3]) * below[i]);
const behind = e => e === null ? [255, 255, 255]
    : over(rgba(getComputedStyle(e).backgroundColor), behind(e.parentElement));
const light = colour => colour
    .map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const seen = new Set();
for (const text of texts()) {
    const e = text.parentElement;
    if (seen.has(e) || !drawn(e)) continue;
    seen.add(e);
    if (e.closest("script, style, noscript, svg, .visually-hidden, .skip-to-content")) continue;
    const style = getComputedStyle(e), back = behind(e);
    const [more, less] = [light(over(rgba(style.color), back)), light(back)].sort((a, b) => b - a);
    const ratio = (more + 0.05) / (less + 0.05), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5))
        found.push(`a contrast of ${ratio.toFixed(2)}: ${name(e)}: ${short(text.data)}`);
}
return found.slice(0, 20);
}"""
)
