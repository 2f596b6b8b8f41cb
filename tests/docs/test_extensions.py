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


def test_a_literal_block_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    literal_blocks = load("docstrings", monkeypatch).literal_blocks
    lines = "With learning rate η::\n\n    g = 2\n\n    h = 3\n\nTail.".splitlines()
    assert literal_blocks(lines) == lines


def test_words_before_a_colon_are_no_type(monkeypatch: pytest.MonkeyPatch) -> None:
    plain_words = load("docstrings", monkeypatch).plain_words
    text = "Head: a.\n\nArgs:\n    a, b: Two.\n    c, d\n\nReturns:\n    (x, y): an array: both."
    assert plain_words(text.splitlines()) == [
        *["Head: a.", "", "Args:", "    a,b: Two.", "    c, d", ""],
        *["Returns:", "    ..", "", "    (x, y): an array: both."],
    ]


def test_an_attribute_keeps_its_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    extension = load("docstrings", monkeypatch)
    lines = ["The harmonic mean: of two."]
    extension.process(None, "attribute", "f1", None, None, lines)
    assert lines == ["..", "", "The harmonic mean: of two."]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Tensor", "minicnn.Tensor"),
        ("Tensor.from_images", "minicnn.Tensor.from_images"),
        ("minicnn.optim.base.Optimizer", "minicnn.optim.Optimizer"),
        ("shape", None),  # two have it
        ("nothing", None),
    ],
)
def test_a_name_is_found_by_its_end(
    name: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"minicnn.Tensor": "class", "minicnn.data.Tensor": "class"}
    known |= {"minicnn.Tensor.from_images": "method", "minicnn.optim.Optimizer": "class"}
    known |= {"minicnn.Tensor.shape": "property", "minicnn.Plan.shape": "attribute"}
    assert load("references", monkeypatch).full_name(name, known) == expected


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("(x: ~numpy.ndarray[tuple[Any, ...], ~numpy.dtype[Any]])", "(x: ~numpy.ndarray)"),
        (
            "numpy.ndarray[tuple[~typing.Any, ...], numpy.dtype[numpy.int64]] | None",
            "~numpy.ndarray[~numpy.int64] | None",
        ),
        ("(rows: list = <factory>)", "(rows: list = ...)"),
        (None, None),
    ],
)
def test_arrays_in_signatures_are_short(
    signature: str | None, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten = load("references", monkeypatch).shorten
    assert shorten(None, "function", "f", None, None, signature, None) == (expected, None)


def table(rows: list[list[str]]) -> str:
    cells = "".join(
        f"   * - {row[0]}\n" + "".join(f"     - {c}\n" for c in row[1:]) for row in rows
    )
    return f".. list-table::\n   :header-rows: 1\n\n{cells}"


def test_a_wide_table_gets_its_headings_into_its_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = load("tables", monkeypatch)
    from docutils import nodes
    from docutils.core import publish_doctree

    long = "a word and another " * 8
    tree = publish_doctree(table([["one", "two", "three"], ["1", "2", long]]))
    tables.mark(None, tree)
    (found,) = tree.findall(nodes.table)
    assert "stacked" in found["classes"]
    assert [n.astext() for n in tree.findall(nodes.inline)] == ["two: ", "three: "]
    narrow = publish_doctree(table([["one", "two", "three"], ["1", "2", "3"]]))
    tables.mark(None, narrow)
    (found,) = narrow.findall(nodes.table)
    assert "stacked" not in found["classes"] and not list(narrow.findall(nodes.inline))


def test_pictures_without_words_are_named_by_their_section(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = load("pictures", monkeypatch)
    from docutils import nodes
    from docutils.core import publish_doctree

    images = ".. image:: a.png\n\n.. image:: b.png\n\n.. image:: c.png\n   :alt: A cat\n"
    settings = {"doctitle_xform": False}
    text = f"Page\n====\n\nPart\n----\n\n{images}"
    tree = publish_doctree(text, settings_overrides=settings)
    pictures.describe(None, tree)
    assert [image["alt"] for image in tree.findall(nodes.image)] == [
        "Figure in the section “Part” of “Page”",
        "Figure 2 in the section “Part” of “Page”",
        "A cat",
    ]


def test_cells_run_again_when_a_source_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fingerprint = load("notebooks", monkeypatch).fingerprint
    seen = {fingerprint(tmp_path)}
    names = ("minicnn/a.py", "minicnn/kernels/b.pyx", "minicnn/kernels/b.pxd", "minicnn/b.pyi")
    for name in (*names, "benchmarks/results/results.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for text in ("one", "two"):
            path.write_text(text, encoding="utf-8")
            assert fingerprint(tmp_path) not in seen
            seen.add(fingerprint(tmp_path))
    (tmp_path / "minicnn" / "notes.txt").write_text("text", encoding="utf-8")
    assert fingerprint(tmp_path) in seen


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
