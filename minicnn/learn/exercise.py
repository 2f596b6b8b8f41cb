"""Exercises: a file to be written by the reader, and checks that say what holds in it."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import inspect
import io
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..museum.checks import same
from ..tensor import Parameter, Tensor

Array = npt.NDArray[Any]
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

        They run here and now: for a file that may end the program, or not end, see `apart`.

        Raises:
            FileNotFoundError: it is not there.
        """
        return without_reading(list(self.results(folder)))

    def results(self, folder: Path) -> Iterator[Result]:
        """First that of reading the file; if it can be read, that of each check as it is run."""
        path = folder / f"{self.name}.py"
        if not path.is_file():
            raise FileNotFoundError(f"there is no {path}: write the files with minicnn learn start")
        log = Log()
        try:
            module = load(path, print=log)
        except (Exception, SystemExit) as error:  # the reader's own code, as it is being written
            yield Result(READS, describe(error, path), log.take())
            return
        yield Result(READS, None)
        for check in self.checks:
            wrong = run(check, module, path)
            yield Result(states(check), wrong, log.take())


def without_reading(results: list[Result]) -> list[Result]:
    """That the file could be read goes without saying."""
    return [each for each in results if each.states != READS or not each.holds]


def states(check: Check) -> str:
    """What a check states."""
    return (check.__doc__ or check.__name__).splitlines()[0]


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
    own = getattr(check, "__globals__", {}).items()
    kept = [(f"the check's {name}", v, v.copy()) for name, v in own if isinstance(v, np.ndarray)]
    wrong = None
    try:
        with calls.watching():
            check(calls)
    except (Exception, SystemExit) as error:
        wrong = calls.misunderstood(error, path) or describe(error, path)
    changed = restored("something changed", kept)  # by what a function has kept since its call
    return calls.changed or changed or wrong


def restored(who: str, kept: list[tuple[str, Array, Array]]) -> str | None:
    """Put back arrays that were changed: (name, array, copy of before). In words, the first."""
    said = None
    for name, array, before in kept:
        try:
            same(f"{who} {name}", array, before, 0)
        except AssertionError as error:
            said = said or str(error)
            array.shape = before.shape
            array[...] = before
    return said


def arrays_of(call: inspect.BoundArguments) -> Iterator[tuple[str, Array]]:
    """The arrays that a call passes in, alone, in a list or as a tensor's data, with their names.

    Parameters are left out: an optimizer is there to change them.
    """
    for name, value in call.arguments.items():
        several = isinstance(value, (tuple, list))
        for k, each in enumerate(value if several else [value]):
            array = each.data if isinstance(each, Tensor) else each
            if isinstance(array, np.ndarray) and not isinstance(each, Parameter):
                yield (f"{name}[{k}]" if several else name), array


class Calls(ModuleType):
    """The reader's module, seen by a check; it remembers what its functions returned last.

    It also sees to it that they leave the arrays alone that they are given. What one has changed is
    put back at once, so that all that follows is judged by the right numbers.

    Attributes:
        changed: The first change, in words.
    """

    def __init__(self, module: ModuleType) -> None:
        super().__init__(module.__name__)
        self.changed: str | None = None
        self._module = module
        self._last: tuple[str, object] | None = None
        self._inside = False

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        if not isinstance(value, FunctionType):
            return value
        watched = self._watched(name, value)

        @functools.wraps(value)
        def call(*args: Any, **options: Any) -> Any:
            self._last = None  # if it fails, it has returned nothing
            result = watched(*args, **options)
            self._last = (name, result)
            return result

        return call

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """In this block the methods of the reader's classes are watched, too."""
        methods = [
            (cls, name, method)
            for cls in vars(self._module).values()
            if isinstance(cls, type) and cls.__module__ == self._module.__name__
            for name, method in vars(cls).items()
            if isinstance(method, FunctionType) and not name.startswith("__")
        ]
        try:
            for cls, name, method in methods:
                setattr(cls, name, self._watched(f"{cls.__name__}.{name}", method))
            yield
        finally:
            for cls, name, method in methods:
                setattr(cls, name, method)

    def _watched(self, name: str, function: FunctionType) -> Callable[..., Any]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            if self._inside:  # one of the reader's calls another: these two may agree on anything
                return function(*args, **options)
            try:
                given = list(arrays_of(signature.bind(*args, **options)))
            except TypeError:  # it cannot be called so, and will say it itself
                given = []
            kept = [(label, array, array.copy()) for label, array in given]
            changed, self._inside = None, True
            try:
                result = function(*args, **options)
            finally:
                self._inside = False
                changed = restored(f"{name} changed its input", kept)
            if changed and self.changed is None:
                self.changed = changed
            assert not changed, changed
            return result

        return call

    def misunderstood(self, error: BaseException, path: Path) -> str | None:
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


def lines_of(error: BaseException, path: Path) -> list[int]:
    """The lines of the file at ``path`` that an error passed through."""
    own = os.path.abspath(path)  # as the import system names it
    frames = traceback.extract_tb(error.__traceback__)
    return [frame.lineno or 0 for frame in frames if os.path.abspath(frame.filename) == own]


def ended(code: object) -> str:
    """That the reader's code ended the program, with this exit code; below 0 it is a signal."""
    if isinstance(code, int) and code < 0:
        return f"it ended the program (signal {-code})"
    return f"it ended the program (exit code {code if isinstance(code, int) else int(bool(code))})"


def describe(error: BaseException, path: Path) -> str:
    """An error in words; one of the reader's own code with the line it comes from."""
    if isinstance(error, AssertionError) and str(error):
        return str(error)
    if isinstance(error, SyntaxError):
        return f"{path.name}, line {error.lineno}: {error.msg}"
    lines = lines_of(error, path)
    where = f"{path.name}, line {lines[-1]}: " if lines else ""
    if isinstance(error, NotImplementedError):
        return f"{where}{UNWRITTEN}"
    if isinstance(error, SystemExit):
        return f"{where}{ended(error.code)}"
    return f"{where}{type(error).__name__}: {error}"
