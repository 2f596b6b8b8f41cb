"""Show minicnn's own source in a lesson, as it stands: no lesson can be outdated."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Source:
    """A piece of source: printed as it is, and coloured in a notebook.

    Attributes:
        text: The lines, without their common indentation.
        place: The file, from the package's folder, and the first line: "layers/relu.py, line 20".
    """

    text: str
    place: str

    def __str__(self) -> str:
        return f"# minicnn/{self.place}\n{self.text}"

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return f"```python\n{self}\n```"


def source(what: Any, name: str | None = None) -> Source:
    """The source of a class or function of minicnn, or of a part of one of its files.

    Args:
        what: A class, function or method; or a file, as "kernels/pool.pyx".
        name: Of a file, the function to be shown; None: what stands at its head.

    Raises:
        ValueError: the file has no function of this name.
    """
    if not isinstance(what, str):
        lines, first = inspect.getsourcelines(what)
        path = Path(inspect.getfile(what)).resolve().relative_to(PACKAGE)
        return Source(_trim("".join(lines)), f"{path.as_posix()}, line {first}")
    lines = (PACKAGE / what).read_text(encoding="utf-8").splitlines()
    first = 0 if name is None else _begin(lines, name, what)
    last = _end_in_python(lines, first) if what.endswith(".py") else _end(lines, first, name)
    return Source(_trim("\n".join(lines[first:last])), f"{what}, line {first + 1}")


def _end_in_python(lines: list[str], first: int) -> int:
    """Behind the statement that begins at ``first``."""
    nodes = ast.parse("\n".join(lines)).body
    return next(node.end_lineno or 0 for node in nodes if node.lineno == first + 1)


def _end(lines: list[str], first: int, name: str | None) -> int:
    """Cython is told by its indentation; a file's head is its first comment."""
    inside = (" ", "\t") if name is not None else "#"
    last = first + 1
    while last < len(lines) and (lines[last].startswith(inside) or (name and not lines[last])):
        last += 1
    return last


def _begin(lines: list[str], name: str, file: str) -> int:
    pattern = re.compile(rf"(c?p?def|class)\b.*\b{re.escape(name)}\(")
    for number, line in enumerate(lines):
        if pattern.match(line):
            return number
    raise ValueError(f"{file} has no function {name!r}")


def _trim(text: str) -> str:
    return textwrap.dedent(text).rstrip()
