"""Every page that is a notebook can be downloaded as one.

Below the title stands a link to the page as .ipynb, for Jupyter, and to its text as .md; both lie
beside the page.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import jupytext
from docutils import nodes
from sphinx.application import Sphinx

MARK = "format_name: myst"


def is_notebook(app: Sphinx, name: str) -> bool:
    """Whether a page has cells to run."""
    path = Path(app.env.doc2path(name))
    return path.suffix == ".md" and MARK in path.read_text(encoding="utf-8")[:500]


def add_links(app: Sphinx, doctree: nodes.document) -> None:
    """Put the line of links below the title."""
    name = app.env.docname
    if not is_notebook(app, name):
        return
    stem = name.rpartition("/")[2]
    line = nodes.paragraph(classes=["download"])
    line += nodes.Text("Download: ")
    line += nodes.reference("", "notebook (.ipynb)", refuri=f"{stem}.ipynb", internal=False)
    line += nodes.Text(" · ")
    line += nodes.reference("", "text (.md)", refuri=f"{stem}.md", internal=False)
    section = next(iter(doctree.findall(nodes.section)))
    section.insert(1, line)


def write(app: Sphinx, error: Exception | None) -> None:
    """Write both files of each notebook beside its page."""
    if error is not None or app.builder.format != "html":
        return
    for name in sorted(app.env.found_docs):
        if is_notebook(app, name):
            source, target = Path(app.env.doc2path(name)), Path(app.outdir, f"{name}.md")
            shutil.copyfile(source, target)
            notebook = jupytext.read(source, fmt="md:myst")
            jupytext.write(notebook, target.with_suffix(".ipynb"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("doctree-read", add_links)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
