"""What the site's own extensions do to text."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

EXTENSIONS = Path(__file__).resolve().parents[2] / "docs" / "_ext"


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for needed in ("sphinx", "latex2mathml", "jupytext"):
        pytest.importorskip(needed)
    monkeypatch.syspath_prepend(str(EXTENSIONS))
    monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module(name)


def test_what_is_set_in_becomes_a_literal_block(monkeypatch: pytest.MonkeyPatch) -> None:
    literal_blocks = load("docstrings", monkeypatch).literal_blocks
    text = (
        "Head:\n\n    a = |b|\n\n    c\n\nTail.\n\nArgs:\n    x: An array\n\n        of 2.\n\nEnd."
    )
    assert "\n".join(literal_blocks(text.splitlines())) == text.replace(
        "\n\n    a =", "\n\n::\n\n    a ="
    )


@pytest.mark.parametrize(
    "latex",
    [r"\frac{1}{N}\sum_{i} x_i", r"\left\lfloor \frac{a}{b} \right\rfloor", r"\hat x \ge 0"],
)
def test_formulas_become_mathml(latex: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root = ElementTree.fromstring(load("mathml", monkeypatch).mathml(latex, "block"))
    assert root.tag.endswith("math")
    assert root.get("display") == "block"
    assert "\\" not in "".join(root.itertext())


def test_a_line_over_letters_can_be_stretched(monkeypatch: pytest.MonkeyPatch) -> None:
    text = load("mathml", monkeypatch).mathml(r"\overline{dy\, x}")
    assert '<mo stretchy="true">&#x0203E;</mo>' in text
    assert "02015" not in text
