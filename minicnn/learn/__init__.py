"""The lessons' exercises: files to be written by the reader, with checks, and what is done so far.

    minicnn learn                    the lessons, and which exercises hold
    minicnn learn start 06 DIR       write the files of lesson 6 into DIR
    minicnn learn check 06 DIR       say, check by check, what holds in them

A lesson is checked in a process of its own, an exercise for a minute at most: see `apart`.
Stubs and solutions lie beside this file, in ``stubs`` and ``solutions``.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ..errors import DataError
from ..files import atomic_write
from .apart import check_apart
from .exercise import READS, Exercise, Result
from .source import Source, source
from .timing import machine, medians

__all__ = [
    "LESSONS",
    "Exercise",
    "Lesson",
    "Result",
    "Source",
    "check",
    "lesson",
    "machine",
    "medians",
    "progress",
    "source",
    "start",
]

HERE = Path(__file__).parent
SECONDS = 60.0  # for the checks of an exercise


@dataclass(frozen=True)
class Lesson:
    """A lesson of the series.

    Attributes:
        number: Two digits, as "06".
        title: Its title.
        question: The question that it answers.
    """

    number: str
    title: str
    question: str

    @property
    def exercises(self) -> tuple[Exercise, ...]:
        """Its exercises; the first lesson and the museum have none of this kind."""
        if not (HERE / f"lesson{self.number}.py").is_file():
            return ()
        exercises: tuple[Exercise, ...] = import_module(f".lesson{self.number}", __name__).EXERCISES
        return exercises

    def stub(self, exercise: Exercise) -> Path:
        """The file that the reader begins with."""
        return HERE / "stubs" / self.number / f"{exercise.name}.py"

    def solution(self, exercise: Exercise) -> Path:
        """The same, solved."""
        return HERE / "solutions" / self.number / f"{exercise.name}.py"


LESSONS = tuple(
    Lesson(f"{number:02}", title, question)
    for number, (title, question) in enumerate(
        (
            ("Train one now", "How do I get a net that reads my handwriting?"),
            ("Tensors", "How does a batch of pictures lie in memory?"),
            ("Convolution, forward", "What does a convolution compute, and in how many ways?"),
            ("Convolution, backward", "Why are both gradients convolutions too?"),
            ("ReLU and its relatives", "What does a kink do to a derivative?"),
            ("Pooling", "To whom does a maximum owe its gradient?"),
            ("Linear, softmax, cross-entropy", "How does a net say how sure it is?"),
            ("Sequential", "How do layers become a net that learns?"),
            ("Batch norm and dropout", "Why does a net behave differently when it is tested?"),
            ("Optimizers and initialisation", "Which way down, how far, and from where?"),
            ("What did it learn?", "What does the net look at?"),
            ("Making it fast", "Where does the time go?"),
            ("Residual and Concat", "How do deeper nets work without a tape?"),
            ("The bug museum", "Which mistakes are easy to make?"),
        ),
        start=1,
    )
)


def lesson(number: str | int) -> Lesson:
    """The lesson of this number, 6 or "06".

    Raises:
        ValueError: there is none.
    """
    text = str(number).strip()
    for each in LESSONS:
        if text.isdecimal() and int(text) == int(each.number):
            return each
    raise ValueError(f"there is no lesson {text!r}: they go from 1 to {len(LESSONS)}")


def start(number: str | int, folder: str | os.PathLike[str]) -> list[Path]:
    """Write the stubs of a lesson into ``folder``, which is made if it is not there.

    Raises:
        ValueError: no such lesson, or one without exercises.
        DataError: a file of such a name is there already; nothing is written then.
    """
    chosen = _with_exercises(number)
    target = Path(folder)
    paths = [target / chosen.stub(each).name for each in chosen.exercises]
    for path in paths:
        if path.exists():
            raise DataError(f"{path} is there already, and is left as it is; choose another folder")
    target.mkdir(parents=True, exist_ok=True)
    for path, exercise in zip(paths, chosen.exercises, strict=True):
        with atomic_write(path) as temporary:
            temporary.write_bytes(chosen.stub(exercise).read_bytes())
    return paths


def check(
    number: str | int, folder: str | os.PathLike[str], seconds: float | None = None
) -> dict[Exercise, list[Result]]:
    """What holds in the files of a lesson; exercises that hold throughout are remembered.

    They are run in another process, so that a file may end it, crash it or take for ever.

    Args:
        number: The lesson's.
        folder: Where the files are. One that is missing is an exercise that does not hold.
        seconds: How long an exercise may take; None: `SECONDS`.

    Raises:
        ValueError: no such lesson, or one without exercises.
        FileNotFoundError: none of the files is there.
    """
    chosen, folder = _with_exercises(number), Path(folder)
    paths = {each: folder / f"{each.name}.py" for each in chosen.exercises}
    here = [each for each, path in paths.items() if path.is_file()]
    if not here:
        path = paths[chosen.exercises[0]]
        raise FileNotFoundError(f"there is no {path}: write the files with minicnn learn start")
    found = check_apart(chosen.number, here, folder, SECONDS if seconds is None else seconds)
    results = {
        each: found[each] if each in found else [Result(READS, _missing(chosen, path))]
        for each, path in paths.items()
    }
    done = {each.name for each, found in results.items() if all(r.holds for r in found)}
    before = progress()
    known = set(before.get(chosen.number, ()))
    if not done <= known:
        path = progress_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        after = {**before, chosen.number: sorted(known | done)}
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(after, indent=1) + "\n")
    return results


def progress() -> dict[str, list[str]]:
    """For each lesson the exercises that held once; empty if the file is missing or broken."""
    try:
        found = json.loads(progress_file().read_text(encoding="utf-8"))
        return {str(key): [str(name) for name in names] for key, names in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def progress_file() -> Path:
    """Where the progress is kept: where the operating system wants a program's own data.

    ``$XDG_DATA_HOME/minicnn`` or ``~/.local/share/minicnn``; on macOS
    ``~/Library/Application Support/minicnn``; on Windows ``%LOCALAPPDATA%\\minicnn``.
    """
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        base = Path(local) if local else Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        xdg = os.environ.get("XDG_DATA_HOME", "")
        base = Path(xdg) if os.path.isabs(xdg) else Path.home() / ".local" / "share"
    return base / "minicnn" / "learn.json"


def _missing(lesson: Lesson, path: Path) -> str:
    return (
        f"there is no {path.name}: minicnn learn start {lesson.number} DIR2 "
        f"writes it into another folder"
    )


def _with_exercises(number: str | int) -> Lesson:
    chosen = lesson(number)
    if not chosen.exercises:
        raise ValueError(f"lesson {chosen.number}, {chosen.title}, has no exercises")
    return chosen
