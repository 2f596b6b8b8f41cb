"""Docstrings are written to be read in the source: here they learn to be reStructuredText.

A block that is set in, between blank lines, is a formula or an example: it becomes a literal block,
with its spaces and columns as they are.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

SECTIONS = {"Args:", "Attributes:", "Raises:", "Returns:", "Yields:"}


def literal_blocks(lines: list[str]) -> list[str]:
    """The lines, with ``::`` before each block that is set in; sections are left alone."""
    found: list[str] = []
    in_section = in_block = False
    for line in lines:
        inset = line[:1] == " "
        if line.strip():
            if not inset:
                in_section, in_block = line.strip() in SECTIONS, False
            elif not in_section and not in_block and found and not found[-1].strip():
                found += ["::", ""]
                in_block = True
        found.append(line)
    return found


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Change a docstring in place, before its sections are read."""
    lines[:] = literal_blocks(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", process, priority=400)
    return {"parallel_read_safe": True}
