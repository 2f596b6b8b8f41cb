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
    if name is None and what.endswith(".py"):
        head = ast.get_docstring(ast.parse("\n".join(lines)), clean=False) or ""
        return Source(_trim(f'"""{head}"""'), f"{what}, line 1")
    first = 0 if name is None else _begin(lines, name, what)
    last = first + 1
    while last < len(lines) and (lines[last].startswith((" ", "\t", "#")) or not lines[last]):
        if name is not None and lines[last].startswith("#"):
            break
        last += 1
    return Source(_trim("\n".join(lines[first:last])), f"{what}, line {first + 1}")


def _begin(lines: list[str], name: str, file: str) -> int:
    pattern = re.compile(rf"(c?p?def|class)\b.*\b{re.escape(name)}\(")
    for number, line in enumerate(lines):
        if pattern.match(line):
            return number
    raise ValueError(f"{file} has no function {name!r}")


def _trim(text: str) -> str:
    return textwrap.dedent(text).rstrip()
