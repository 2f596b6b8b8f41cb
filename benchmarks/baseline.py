"""The guard against getting slower: ratios to PyTorch, beside those of benchmarks/baseline.json.

    python -m benchmarks.baseline            exit with 1 if a ratio fell by more than 15 %
    python -m benchmarks.baseline --update   write what is measured now into the file

A time says more about the machine than about the code; a ratio to PyTorch on one thread, taken turn
by turn, much less so. It still depends on the processor and on PyTorch's version, which stand in
the file: on another machine make a baseline first, with --update and --file. Each CPU level has its
own. What seems to have fallen is measured once more, longer, and counts if it fell again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from minicnn import kernels

from .compare import net_rows, tasks
from .goals import PYTORCH
from .peers import MINICNN, PEERS
from .report import machine
from .rows import Row
from .tables import every_operator, operator_rows

FILE = Path(__file__).with_name("baseline.json")
TOLERANCE = 0.15
OPERATORS = (
    "MaxPool2D 2×2 s2 forward",
    "MaxPool2D 2×2 s2 backward",
    "MaxPool2D 3×3 s2 forward",
    "ReLU forward",
    "BatchNorm2D forward",
    "BatchNorm2D backward",
    "cross entropy 64×10",
    "toy conv1 forward",
    "toy conv1 dw",
    "conv32-64 conv2 forward",
    "conv32-64 conv2 dx",
    "conv32-64 conv2 dw",
    "animal conv3 forward",
)
Ratios = dict[str, float]


class Fall(NamedTuple):
    """A ratio that was higher."""

    name: str
    before: float
    now: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and compare or update."""
    args = parser().parse_args(arguments)
    if not PEERS[PYTORCH].installed:
        print("the baseline holds ratios to PyTorch, which is not installed", file=sys.stderr)
        return 2
    level = kernels.info()["level"] or "reference"
    baselines = read(args.file)
    if not args.update and level not in baselines:
        print(f"{args.file} has no baseline for level {level}: make it with --update")
        return 2
    ratios = measure(lambda name: True, args.repetitions)
    if args.update:
        baselines[level] = {"machine": described(), "ratios": ratios}
        write(args.file, baselines)
        return 0
    before = baselines[level]["ratios"]
    suspects = {fall.name for fall in fallen(before, ratios)}
    if suspects:
        print("once more, what fell:")
        again = measure(lambda name: name in suspects, 3 * args.repetitions)
        ratios |= {name: max(ratio, ratios[name]) for name, ratio in again.items()}
    return verdict(before, ratios)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(
        prog="python -m benchmarks.baseline",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("--update", action="store_true", help="write the file anew")
    result.add_argument("--file", type=Path, default=FILE, help="(default: %(default)s)")
    result.add_argument("--repetitions", type=int, default=9, help="samples a side")
    return result


def measure(wanted: Callable[[str], bool], repetitions: int) -> Ratios:
    """The rows of the guard, or those of them that are wanted."""
    ratios: Ratios = {}
    for row in rows(wanted, repetitions):
        ratios[row.name] = round(row.ratio.median, 3)
        print(f"{row.name:<32}{ratios[row.name]:>8.2f}", flush=True)
    return ratios


def rows(wanted: Callable[[str], bool], repetitions: int) -> Iterator[Row]:
    """Nets and some operators, on one thread, as they are measured."""
    chosen = [task for task in tasks() if wanted(task.name)]
    yield from net_rows(chosen, (MINICNN, PYTORCH), 1, repetitions)
    operators = [one for one in every_operator() if one.name in OPERATORS and wanted(one.name)]
    yield from operator_rows(operators, 1, repetitions)


def fallen(before: Ratios, now: Ratios) -> list[Fall]:
    """What fell by more than the tolerance, the worst first; of what is in both."""
    falls = [Fall(name, before[name], now[name]) for name in before if name in now]
    worst_first = sorted(falls, key=lambda fall: fall.now / fall.before)
    return [fall for fall in worst_first if fall.now < (1 - TOLERANCE) * fall.before]


def verdict(before: Ratios, now: Ratios) -> int:
    """Say what fell, what is measured no more and what is new; 0 if all is well, else 1."""
    falls, gone = fallen(before, now), [name for name in before if name not in now]
    for fall in falls:
        loss = 1 - fall.now / fall.before
        print(f"fell by {loss:.0%}: {fall.name}, from {fall.before:.2f} to {fall.now:.2f}")
    for name in gone:
        print(f"in the baseline, and measured no more: {name}")
    for name in now:
        if name not in before:
            print(f"not in the baseline yet: {name}")
    if falls or gone:
        return 1
    print(f"nothing fell by more than {TOLERANCE:.0%}")
    return 0


def read(path: Path) -> dict[str, Any]:
    """The baselines by CPU level; none if there is no file."""
    if not path.exists():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def write(path: Path, baselines: dict[str, Any]) -> None:
    """Write all levels."""
    text = json.dumps(baselines, indent=1, ensure_ascii=False, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


def described() -> dict[str, str]:
    """What the ratios depend on."""
    found = machine()
    return {"processor": found["processor"], "torch": found["versions"]["torch"]}


if __name__ == "__main__":
    raise SystemExit(main())
