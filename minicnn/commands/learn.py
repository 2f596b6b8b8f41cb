"""``minicnn learn``: the lessons' exercises."""

from __future__ import annotations

import argparse
import textwrap

from .. import learn


def run(args: argparse.Namespace) -> int:
    """List the lessons, write a lesson's exercises, or check them."""
    actions = {None: overview, "start": start, "check": check}
    return actions[args.what](args)


def overview(args: argparse.Namespace) -> int:
    """The lessons, with what is done."""
    done = learn.progress()
    for lesson in learn.LESSONS:
        names = [exercise.name for exercise in lesson.exercises]
        held = sum(name in done.get(lesson.number, ()) for name in names)
        score = f"{held} of {len(names)}" if names else ""
        print(f"{lesson.number}  {lesson.title:<32}{score:<9}{lesson.question}".rstrip())
    print(f"\n{what_next(done)}")
    return 0


def what_next(done: dict[str, list[str]]) -> str:
    """The first lesson whose exercises do not all hold yet, as a command."""
    for lesson in learn.LESSONS:
        left = {exercise.name for exercise in lesson.exercises} - set(done.get(lesson.number, ()))
        if left and len(left) < len(lesson.exercises):
            return f"go on with: minicnn learn check {lesson.number} DIR"
        if left:
            return f"{'go on' if done else 'begin'} with: minicnn learn start {lesson.number} DIR"
    return "all exercises of all lessons hold"


def start(args: argparse.Namespace) -> int:
    """Write the files."""
    chosen = learn.lesson(args.lesson)
    paths = learn.start(args.lesson, args.folder)
    for path, exercise in zip(paths, chosen.exercises, strict=True):
        print(f"{path}\n{textwrap.indent(exercise.task, '    ')}")
    print(f"\nthen: minicnn learn check {chosen.number} {args.folder}")
    return 0


def check(args: argparse.Namespace) -> int:
    """Run the checks; 1 if one does not hold."""
    results = learn.check(args.lesson, args.folder)
    for exercise, found in results.items():
        held = sum(result.holds for result in found)
        print(f"{exercise.name}: {held} of {len(exercise.checks)} hold")
        if all(result.unwritten and not result.printed for result in found):
            print(textwrap.indent(f"    {found[0].wrong}", "  "))  # once is enough
            continue
        for result in found:
            print(textwrap.indent(str(result), "  "))
    return 0 if all(result.holds for found in results.values() for result in found) else 1
