"""Pictures that cells make get words for those who do not see them, and a link to their full size.

The words name the section, for that is all that is known of such a picture; what it shows is said
in the text around it.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx


def section_of(node: nodes.Node) -> str:
    """The title of the section that a node stands in."""
    while node.parent is not None:
        node = node.parent
        if isinstance(node, nodes.section):
            return next(iter(node.findall(nodes.title))).astext()
    return ""


def describe(app: Sphinx, doctree: nodes.document) -> None:
    """Alternative text for the pictures of cells, numbered where a section has several."""
    page = next(iter(doctree.findall(nodes.title))).astext() if doctree.children else ""
    counts: dict[str, int] = {}
    for image in doctree.findall(nodes.image):
        image.setdefault("scale", 100)  # Sphinx links what has a scale to the file itself
        if image.get("alt"):
            continue
        section = section_of(image)
        counts[section] = counts.get(section, 0) + 1
        number = f"Figure {counts[section]}" if counts[section] > 1 else "Figure"
        where = f"in the section “{section}” of “{page}”" if section != page else f"of “{page}”"
        image["alt"] = f"{number} {where}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("doctree-read", describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
