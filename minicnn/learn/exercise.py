"""Exercises: a file to be written by the reader, and checks that say what holds in it."""

from __future__ import annotations

import functools
import importlib.util
import io
import os
import re
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

Check = Callable[[ModuleType], None]
"""Takes the reader's module; raises AssertionError with the first value that is wrong, and where.
The first line of its docstring is what it states."""

READS = "Python can read the file"
UNWRITTEN = "not written yet"
PRINTED = 10  # lines of the reader's own that are shown for a check


@dataclass(frozen=True)
class Result:
    """What a check said.

    Attributes:
        states: What should hold.
        wrong: What is wrong instead; None: it holds.
        printed: What the reader's code printed meanwhile.
    """

    states: str
    wrong: str | None
    printed: str = ""

    @property
    def holds(self) -> bool:
        return self.wrong is None

    @property
    def unwritten(self) -> bool:
        """Whether the check met a function that is still to be written."""
        return self.wrong is not None and self.wrong.endswith(UNWRITTEN)

    def __str__(self) -> str:
        mark, more = ("ok  ", "") if self.holds else ("    ", f"\n        {self.wrong}")
        lines = self.printed.splitlines()
        said = [f"\n        printed: {line}" for line in lines[:PRINTED]]
        if len(lines) > PRINTED:
            said.append(f"\n        and {len(lines) - PRINTED} more lines")
        return f"{mark}{self.states}{more}{''.join(said)}"


@dataclass(frozen=True)
class Exercise:
    """One file of a lesson.

    Attributes:
        name: The file's, without ".py".
        task: What is to be done, in a sentence.
        checks: What must hold.
    """

    name: str
    task: str
    checks: tuple[Check, ...]

    def check(self, folder: Path) -> list[Result]:
        """Run all checks on the file in ``folder``; one result each, or one for an unreadable file.

        Raises:
            FileNotFoundError: it is not there.
        """
        path = folder / f"{self.name}.py"
        if not path.is_file():
            raise FileNotFoundError(f"there is no {path}: write the files with minicnn learn start")
        log = Log()
        try:
            module = load(path, print=log)
        except Exception as error:  # the reader's own code, as it is being written
            return [Result(READS, describe(error, path), log.take())]
        results = []
        for check in self.checks:
            states = (check.__doc__ or check.__name__).splitlines()[0]
            results.append(Result(states, run(check, module, path), log.take()))
        return results


class Log:
    """Stands in for the reader's ``print``, so that what it says appears beside its check.

    Only ``print``: redirecting the whole of stdout would blind the debugger, too.
    """

    def __init__(self) -> None:
        self._text = io.StringIO()

    def __call__(self, *values: object, file: Any = None, **options: Any) -> None:
        print(*values, file=file or self._text, **options)

    def take(self) -> str:
        """What was printed since the last time."""
        text, self._text = self._text.getvalue(), io.StringIO()
        return text


def load(path: Path, **given: object) -> ModuleType:
    """The file as a module, anew each time; it finds the names ``given`` there already."""
    spec = importlib.util.spec_from_file_location(f"minicnn_exercise_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    vars(module).update(given)
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # the folder is the reader's
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = bytecode
    return module


def run(check: Check, module: ModuleType, path: Path) -> str | None:
    """What is wrong, or None."""
    calls = Calls(module)
    try:
        check(calls)
    except Exception as error:
        return calls.misunderstood(error, path) or describe(error, path)
    return None


class Calls(ModuleType):
    """The reader's module, seen by a check; it remembers what its functions returned last."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__(module.__name__)
        self._module = module
        self._last: tuple[str, object] | None = None

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        if not isinstance(value, FunctionType):
            return value

        @functools.wraps(value)
        def call(*args: Any, **options: Any) -> Any:
            self._last = None  # if it fails, it has returned nothing
            result = value(*args, **options)
            self._last = (name, result)
            return result

        return call

    def misunderstood(self, error: Exception, path: Path) -> str | None:
        """What is wrong, if a function returned another kind of thing than the check expects."""
        if self._last is None or lines_of(error, path):
            return None
        name, result = self._last
        if result is None:
            return f"{name} returned None: is `return` missing?"
        if isinstance(error, (ValueError, TypeError)) and "unpack" in str(error):
            count = re.search(r"expected (\d+)", str(error))
            wanted = f"{count[1]} values" if count else "several values"
            return f"{name} must return {wanted}, and it returned {kind(result)}"
        return None


def kind(value: object) -> str:
    """What somebody returned, in a word or two."""
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    shape = getattr(value, "shape", None)
    return f"one array of shape {shape}" if shape else f"one {type(value).__name__}"


def lines_of(error: Exception, path: Path) -> list[int]:
    """The lines of the file at ``path`` that an error passed through."""
    own = os.path.abspath(path)  # as the import system names it
    frames = traceback.extract_tb(error.__traceback__)
    return [frame.lineno or 0 for frame in frames if os.path.abspath(frame.filename) == own]


def describe(error: Exception, path: Path) -> str:
    """An error in words; one of the reader's own code with the line it comes from."""
    if isinstance(error, AssertionError) and str(error):
        return str(error)
    if isinstance(error, SyntaxError):
        return f"{path.name}, line {error.lineno}: {error.msg}"
    lines = lines_of(error, path)
    where = f"{path.name}, line {lines[-1]}: " if lines else ""
    if isinstance(error, NotImplementedError):
        return f"{where}{UNWRITTEN}"
    return f"{where}{type(error).__name__}: {error}"
