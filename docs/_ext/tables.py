"""Tables on a telephone: one that is too wide for it becomes a list of its rows.

Such a table is marked here, and each cell but a row's first gets the heading of its column, which
minicnn.css shows on narrow screens only, where it sets the cells of a row below one another.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx

LETTERS = 36  # as many stand beside one another on a telephone, of 390 pixels


def is_wide(rows: list[list[str]]) -> bool:
    """Whether the longest words, or the longest rows, are too much for a telephone."""
    columns = list(zip(*rows, strict=True))
    words = [max((len(w) for cell in c for w in cell.split()), default=0) for c in columns]
    longest = max(sum(map(len, row)) for row in rows)
    return sum(words) + 2 * len(columns) > LETTERS or (len(columns) > 2 and longest > 3 * LETTERS)


def mark(app: Sphinx, doctree: nodes.document) -> None:
    """Mark the wide tables, and write the headings into their cells."""
    for table in doctree.findall(nodes.table):
        rows = [[*row.findall(nodes.entry)] for row in table.findall(nodes.row)]
        if not next(iter(table.findall(nodes.thead)), None) or len({*map(len, rows)}) != 1:
            continue
        if not is_wide([[cell.astext() for cell in row] for row in rows]):
            continue
        table["classes"].append("stacked")
        headings = [cell.astext() for cell in rows[0]]
        for row in rows[1:]:
            for heading, cell in list(zip(headings, row, strict=True))[1:]:
                first = next(iter(cell.findall(nodes.paragraph)), None)
                if first is not None and heading:
                    first.insert(0, nodes.inline("", f"{heading}: ", classes=["column"]))


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("doctree-read", mark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
