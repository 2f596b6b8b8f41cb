"""Tables in text, and what was measured on."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import minicnn as mc
from minicnn import kernels
from minicnn.learn.timing import processor

from .goals import ROOFLINE
from .rows import Row

LIBRARIES = ("numpy", "torch", "onnxruntime", "jax")


def header(threads: int, shares: bool = False) -> str:
    """The line above the rows of one number of threads."""
    roof = f"{'GFLOP/s':>9}{'of limit':>9}" if shares else ""
    columns = f"{'minicnn ms':>11}{'peer ms':>10}{'ratio':>8}  {'(quartiles)':<14}{'asked':>6}"
    return f"\n{f'threads: {threads}':<28}{'':<22}{columns}{roof}"


def line(row: Row, first: bool) -> str:
    """A row; its name stands before the first of its peers."""
    quartiles = f"({row.ratio.low:.2f}–{row.ratio.high:.2f})"
    goal = "" if row.goal is None else f"{row.goal.at_least:g}"
    text = (
        f"{row.name if first else '':<28}{row.peer:<22}{1e3 * row.mine.median:>11.3f}"
        f"{1e3 * row.theirs.median:>10.3f}{row.ratio.median:>8.2f}  {quartiles:<14}{goal:>6}"
    )
    if row.share is not None:
        text += f"{row.share.gflops:>9.1f}{row.share.share:>9.0%}"
    notes = ["short"] if row.short else []
    if row.far_from_limit:
        notes.append(f"below {ROOFLINE[row.name]:.0%} of the limit")
    if row.note:
        notes.append(row.note.removeprefix("PyTorch "))
    return f"{text}  {', '.join(notes)}".rstrip()


def show(rows: Iterable[Row], threads: int, shares: bool = False) -> list[Row]:
    """Print the rows as they come."""
    shown: list[Row] = []
    for row in rows:
        if not shown:
            print(header(threads, shares))
        first = not shown or shown[-1].name != row.name
        print(line(row, first), flush=True)
        shown.append(row)
    return shown


def summary(rows: list[Row]) -> str:
    """How many rows reach what is asked for."""
    asked = [(row, row.goal) for row in rows if row.goal is not None]
    short = [(row, goal) for row, goal in asked if row.short or row.far_from_limit]
    fine = [row for row, goal in asked if goal.stretch and row.ratio.median >= goal.stretch]
    reached = len(asked) - len(short)
    text = f"\n{reached} of {len(asked)} goals reached, {len(fine)} stretch goals"
    for row, goal in sorted(short, key=lambda pair: pair[0].ratio.median / pair[1].at_least):
        text += f"\n    short: {row.name} beside {row.peer}, {row.threads} thr.: "
        text += f"{row.ratio.median:.2f} of {goal.at_least:g}"
        if row.far_from_limit and row.share:
            text += f", {row.share.share:.0%} of the limit"
    return text


def machine() -> dict[str, Any]:
    """What was measured on."""
    versions = {"python": platform.python_version(), "minicnn": mc.__version__}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": processor(),
        "processors": os.cpu_count(),
        "date": time.strftime("%Y-%m-%d"),
        "versions": versions,
        "kernels": dict(kernels.info()),
    }
