"""Every page that is a notebook can be downloaded as one, and runs anew when minicnn has changed.

Below the title stands a link to the page as .ipynb, for Jupyter, and to its text as .md; both lie
beside the page. What came of its cells is kept in a folder whose name is made from all that they
stand on: other sources, another folder, and Sphinx reads and runs every page again.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import jupytext
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

MARK = "format_name: myst"
SOURCES = (
    "minicnn/**/*.py",
    "minicnn/**/*.py[xi]",
    "minicnn/**/*.pxd",
    "benchmarks/results/*.json",
)


def fingerprint(root: Path) -> str:
    """Twelve letters for what cells stand on: the sources of minicnn, and measurements."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in SOURCES for path in root.glob(pattern)}):
        digest.update(f"{path.relative_to(root).as_posix()} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def choose_cache(app: Sphinx, config: Config) -> None:
    """Keep results beside the site, in a folder for the sources that they were made by."""
    cache = Path(app.outdir).parent / ".jupyter_cache" / fingerprint(Path(app.srcdir))
    cache.parent.mkdir(parents=True, exist_ok=True)
    config.nb_execution_cache_path = str(cache)


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
    app.connect("config-inited", choose_cache)
    app.connect("doctree-read", add_links)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
