"""Formulas as MathML, which browsers draw themselves: no script, and nothing from elsewhere.

What browsers need for it is a font that knows how brackets grow and where limits go, and few
systems have one. STIX Two Math comes with the package ziamath (SIL Open Font License); the letters
and signs of these pages are cut out of it and go along with the site.
"""

from __future__ import annotations

import logging
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from docutils import nodes
from fontTools import subset
from latex2mathml.converter import convert
from sphinx.application import Sphinx

FONT = "STIXTwoMath-Regular.ttf"
SIGNS = (
    (0x20, 0x24F),  # Latin
    (0x2B0, 0x36F),  # accents
    (0x370, 0x3FF),  # Greek
    (0x2000, 0x22FF),  # punctuation, arrows, operators
    (0x2308, 0x230B),  # floor and ceiling
    (0x239B, 0x23E1),  # pieces of brackets, braces over and under
    (0x27E6, 0x27EB),  # angle brackets
    (0x1D400, 0x1D7FF),  # letters of mathematics: italic, bold
)


def mathml(latex: str, display: str = "inline") -> str:
    """A formula; the line over several letters becomes a sign that fonts can stretch."""
    text: str = convert(latex, display=display)
    return text.replace('<mo accent="true">&#x02015;</mo>', '<mo stretchy="true">&#x0203E;</mo>')


def inline(self: Any, node: nodes.math) -> None:
    """A formula in a line."""
    self.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def block(self: Any, node: nodes.math_block) -> None:
    """A formula by itself; one that is too wide for a telephone can be moved sideways."""
    self.body.append(f'<div class="formula">{mathml(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def write_font(app: Sphinx, error: Exception | None) -> None:
    """Cut the font and put it where minicnn.css looks for it."""
    target = Path(app.outdir, "_static", "math.woff")
    if error is not None or app.builder.format != "html" or target.exists():
        return
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    options = subset.Options(flavor="woff", notdef_outline=True)
    with as_file(files("ziamath.fonts") / FONT) as path:
        font = subset.load_font(str(path), options)
    cut = subset.Subsetter(options)
    cut.populate(unicodes=[code for first, last in SIGNS for code in range(first, last + 1)])
    cut.subset(font)
    subset.save_font(font, str(target), options)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    app.connect("build-finished", write_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
