"""Exercises, checked in a process of their own: whatever a reader's file does is reported.

It may end the program, crash it, or never come to an end. The process writes each result as soon as
it has it; where it stops, the rest of the exercise is not run, and a new process does the others.
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from .exercise import READS, Exercise, Result, ended, states, without_reading

# The path is the parent's: a file of the reader's, in the current folder, stands in for no module.
START = (
    "import sys; sys.path[:] = sys.argv.pop(1).split(chr(10)); "
    "from minicnn.learn.apart import main; main(sys.argv[1:])"
)


def check_apart(
    number: str, exercises: Sequence[Exercise], folder: Path, seconds: float
) -> dict[Exercise, list[Result]]:
    """What holds in the files of these exercises of a lesson.

    Args:
        number: The lesson's.
        exercises: Some of its exercises; their files are there.
        folder: Where these are.
        seconds: How long an exercise may take. Whoever calls the debugger has all the time.
    """
    found: dict[Exercise, list[Result]] = {}
    while len(found) < len(exercises):
        left = exercises[len(found) :]
        with tempfile.TemporaryDirectory() as scratch:
            report, late = Path(scratch, "report"), Path(scratch, "late")
            report.touch()
            words = [report, late, number, folder, seconds, *(each.name for each in left)]
            command = [sys.executable, "-c", START, "\n".join(sys.path), *map(str, words)]
            code = subprocess.run(command, check=False).returncode
            lines = [json.loads(line) for line in report.read_text("utf-8").splitlines()]
            stack = late.read_text("utf-8", "replace") if late.exists() else ""
        for exercise in left:
            results = [
                Result(*values) for name, *values in lines if name == exercise.name and values
            ]
            done = [exercise.name] in lines
            why = "" if done else stopped(exercise, code, stack, seconds)
            found[exercise] = without_reading(
                results if done else completed(exercise, results, why)
            )
            if not done:
                break
    return found


def stopped(exercise: Exercise, code: int, stack: str, seconds: float) -> str:
    """Why the process came to its end in the middle of this exercise."""
    if not stack:
        return ended(code)
    line = re.search(rf'\b{exercise.name}\.py", line (\d+)', stack)
    where = f"{exercise.name}.py, line {line[1]}: " if line else ""
    return f"{where}still running after {seconds:g} s"


def completed(exercise: Exercise, results: list[Result], why: str) -> list[Result]:
    """The results that there are, and for the check that came to no end why."""
    if not results:
        return [Result(READS, why)]
    first, *rest = exercise.checks[len(results) - 1 :]  # the first result is that of reading
    return [*results, Result(states(first), why), *(Result(states(c), "not run") for c in rest)]


def main(words: Sequence[str]) -> None:
    """Check some exercises of a lesson, and write what is found, line by line; never returns."""
    report, late, number, folder, seconds, *names = words
    exercises = import_module(f"minicnn.learn.lesson{number}").EXERCISES
    watch = Watch(late, float(seconds))
    try:
        with open(report, "a", encoding="utf-8") as out:

            def tell(*values: object) -> None:
                print(json.dumps(values), file=out, flush=True)

            for exercise in exercises:
                if exercise.name in names:
                    watch.start()
                    for result in exercise.results(Path(folder)):
                        tell(exercise.name, result.states, result.wrong, result.printed)
                    watch.stop()
                    tell(exercise.name)
        sys.stdout.flush()
    except KeyboardInterrupt:
        os._exit(130)
    os._exit(0)  # whatever threads the reader's code has begun


class Watch:
    """Ends the process when the time is over, and writes down where it was then."""

    def __init__(self, late: str, seconds: float) -> None:
        self._file = open(late, "w", encoding="utf-8")  # noqa: SIM115 (until the process ends)
        self._seconds = seconds
        self._debugging = False
        sys.addaudithook(self._debugger)

    def start(self) -> None:
        if not self._debugging:
            faulthandler.dump_traceback_later(self._seconds, exit=True, file=self._file)

    def stop(self) -> None:
        faulthandler.cancel_dump_traceback_later()

    def _debugger(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "builtins.breakpoint" or (event == "import" and args[0] == "pdb"):
            self._debugging = True
            self.stop()
