"""Run a lesson as a notebook does, and say which numbers its prose claims."""

from __future__ import annotations

import ast
import contextlib
import io
import linecache
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jupytext
import matplotlib
import matplotlib.pyplot as plt

TUTORIALS = Path(__file__).resolve().parents[2] / "tutorials"
PATHS = sorted(TUTORIALS.glob("[0-9][0-9]-*.md"))

# What is no claim: code, links, and where the lesson comes from.
SILENT = re.compile(
    r"[Ll]essons? \d+( (and|to) \d+)?|```.*?```|`[^`]*`|\]\([^)]*\)|https?://\S+|^#+ [^\n]*$",
    re.S | re.M,
)
NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w]|\.\d)")


@dataclass
class Lesson:
    """A lesson that has been run.

    Attributes:
        prose: Its Markdown cells, up to the heading "Sources".
        evidence: The source of its code cells and all that they printed or returned.
        figures: How many pictures it drew.
    """

    prose: list[str] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)
    figures: int = 0


def run(path: Path) -> Lesson:
    """Run all cells from top to bottom in one namespace; what a cell raises is raised."""
    with matplotlib.rc_context():  # a lesson may choose how its figures look
        return _run(path)


def _run(path: Path) -> Lesson:
    lesson, namespace = Lesson(), {"__name__": "__main__"}
    for number, cell in enumerate(jupytext.read(path, fmt="md:myst").cells):
        if cell.cell_type == "markdown":
            lesson.prose.append(cell.source)
        elif cell.cell_type == "code":
            lesson.evidence += [
                cell.source,
                execute(cell.source, f"{path.name}[{number}]", namespace),
            ]
            lesson.figures += len(plt.get_fignums())
            plt.close("all")
    return lesson


def execute(text: str, name: str, namespace: dict[str, Any]) -> str:
    """Run one cell; returns what it printed, with its last expression as a notebook shows it."""
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    tree = ast.parse(text, name)
    quiet = text.rstrip().endswith(";")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, name, "exec"), namespace)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)
            if value is not None and not quiet:
                print(repr(value))
    return printed.getvalue()


def claims(prose: list[str]) -> set[str]:
    """The numbers of two digits and more, or with a point, that stand in the prose."""
    text = "\n".join(prose).partition("\n## Sources")[0]
    found = NUMBER.findall(SILENT.sub(" ", text).replace("−", "-"))
    return {n.replace(",", "").rstrip(".") for n in found if len(n.replace(",", "")) > 1}


def unsupported(lesson: Lesson) -> set[str]:
    """Claims whose number no cell contains or prints."""
    shown = {
        n.replace(",", "").replace("_", "")
        for n in re.findall(r"[\d_,]*\.?\d+", "\n".join(lesson.evidence))
    }
    values = set()
    for number in shown:
        with contextlib.suppress(ValueError):
            values.add(float(number))
    return {claim for claim in claims(lesson.prose) if float(claim) not in values}
