"""Docstrings are written to be read in the source: here they learn to be reStructuredText.

A block that is set in, between blank lines, is a formula or an example: it becomes a literal block,
with its spaces and columns as they are. Types stand in signatures alone, so that a colon in what a
function returns or an attribute is has nothing before it but words. Several arguments may share a
line of "Args:".
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.addnodes import literal_strong
from sphinx.application import Sphinx

SECTIONS = {"Args:", "Attributes:", "Raises:", "Returns:", "Yields:"}
TOGETHER = re.compile(r"^    \w+(, \w+)+(?=( \(.*\))?:( |$))")
NO_TYPE = ["..", ""]  # an empty comment, in which no type can be found


def literal_blocks(lines: list[str]) -> list[str]:
    """The lines, with ``::`` before each block that is set in; sections are left alone.

    So is what has its ``::`` already.
    """
    found: list[str] = []
    in_section = in_block = False
    before = ""  # the last line with anything in it
    for line in lines:
        inset = line[:1] == " "
        if line.strip():
            if not inset:
                in_section, in_block = line.strip() in SECTIONS, False
            elif not in_section and not in_block and found and not found[-1].strip():
                found += [] if before.endswith("::") else ["::", ""]
                in_block = True
            before = line.rstrip()
        found.append(line)
    return found


def plain_words(lines: list[str]) -> list[str]:
    """The lines, with words before a colon kept from being taken for a type or for one name."""
    found: list[str] = []
    section = ""
    for line in lines:
        begins = section in ("Returns:", "Yields:") and found[-1] == section
        if line.strip() and line[:1] != " ":
            section = line.strip() if line.strip() in SECTIONS else ""
        elif begins and ":" in line:
            found += [f"    {text}".rstrip() for text in NO_TYPE]
        elif section in ("Args:", "Attributes:", "Raises:"):
            line = TOGETHER.sub(lambda match: match[0].replace(", ", ","), line)
        found.append(line)
    return found


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Change a docstring in place, before its sections are read."""
    lines[:] = literal_blocks(plain_words(lines))
    if what in ("attribute", "data", "property") and lines and ":" in lines[0]:
        lines[:0] = NO_TYPE


def space_names(app: Sphinx, doctree: nodes.document) -> None:
    """Names that share a line are one name to Sphinx: give them their spaces back."""
    for strong in doctree.findall(literal_strong):
        text = strong.astext()
        if re.fullmatch(r"\w+(,\w+)+", text):
            strong[:] = [nodes.Text(text.replace(",", ", "))]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", process, priority=400)
    app.connect("doctree-read", space_names)
    return {"parallel_read_safe": True}
