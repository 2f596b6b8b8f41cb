"""Exercises: a file to be written by the reader, and checks that say what holds in it."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

Check = Callable[[ModuleType], None]
"""Takes the reader's module; raises AssertionError with the first value that is wrong, and where.
The first line of its docstring is what it states."""


@dataclass(frozen=True)
class Result:
    """What a check said.

    Attributes:
        states: What should hold.
        wrong: What is wrong instead; None: it holds.
    """

    states: str
    wrong: str | None

    @property
    def holds(self) -> bool:
        return self.wrong is None

    def __str__(self) -> str:
        mark, more = ("ok  ", "") if self.holds else ("    ", f"\n        {self.wrong}")
        return f"{mark}{self.states}{more}"


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
        """Run all checks on the file in ``folder``.

        Raises:
            FileNotFoundError: it is not there.
        """
        path = folder / f"{self.name}.py"
        if not path.is_file():
            raise FileNotFoundError(f"there is no {path}: write the files with minicnn learn start")
        states = [(check.__doc__ or check.__name__).splitlines()[0] for check in self.checks]
        try:
            module = load(path)
        except Exception as error:  # the reader's own code, as it is being written
            return [Result(state, describe(error, path)) for state in states]
        return [
            Result(state, run(check, module, path))
            for state, check in zip(states, self.checks, strict=True)
        ]


def load(path: Path) -> ModuleType:
    """The file as a module, anew each time."""
    spec = importlib.util.spec_from_file_location(f"minicnn_exercise_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # the folder is the reader's
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = bytecode
    return module


def run(check: Check, module: ModuleType, path: Path) -> str | None:
    """What is wrong, or None."""
    try:
        check(module)
    except Exception as error:
        return describe(error, path)
    return None


def describe(error: Exception, path: Path) -> str:
    """An error in words; one of the reader's own code with the line it comes from."""
    if isinstance(error, AssertionError) and str(error):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    if isinstance(error, SyntaxError):
        return f"{path.name}, line {error.lineno}: {error.msg}"
    where = f"{path.name}, line {lines[-1]}: " if lines else ""
    if isinstance(error, NotImplementedError):
        return f"{where}not written yet"
    return f"{where}{type(error).__name__}: {error}"
