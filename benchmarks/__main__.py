"""minicnn beside its peers. A ratio is the peer's time over minicnn's: above 1, minicnn is faster.

    python -m benchmarks                 nets, operators, limits, loading: the main tables
    python -m benchmarks --quick         the same in less than two minutes, and coarser
    python -m benchmarks nets --only toy --threads 1

parts:
    nets        training step and inference of five nets, beside every peer that is installed
    operators   single operators beside PyTorch, and their share of what the machine allows
    roofline    those limits: peak rate, copies of all sizes
    loading     pictures a second of the DataLoader, and of the toy net
    scaling     over threads, batch size, channels, picture size
    overhead    microseconds that a layer takes apart from its arithmetic
    memory      peak memory of each net; time and memory of the import
    accuracy    time to 98.8 % on MNIST (needs its files: see MINICNN_DATA)
    levels      the nets at each CPU level, beside the lowest

Writes results.json and pictures. docs/benchmarks.md says how each thing is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import accuracy, levels, loading, memory, overhead, scaling, tables
from .peers import DisagreementError
from .report import machine
from .settings import Settings, default_threads
from .workers import processors

PARTS: dict[str, Callable[[Settings], Any]] = {
    "nets": tables.nets,
    "operators": tables.all_operators,
    "roofline": tables.limits_of_machine,
    "loading": loading.run,
    "scaling": scaling.run,
    "overhead": overhead.run,
    "memory": memory.run,
    "accuracy": accuracy.run,
    "levels": levels.run,
}
MAIN = ("nets", "operators", "loading")
LEVEL = "MINICNN_CPU"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for, print it, write it."""
    arguments = sys.argv[1:] if arguments is None else arguments
    args = parser().parse_args(arguments)
    if args.level and os.environ.get(LEVEL) != args.level:
        if args.level not in levels.available():
            parser().error(f"--level: there are {', '.join(levels.available())} here")
        os.environ[LEVEL] = args.level  # read when the kernels are imported: begin again
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks", *arguments])
    settings = settings_of(args)
    settings.out.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {"machine": machine(), "arguments": list(arguments)}
    introduce(result["machine"], settings)
    for part in parts_of(args):
        try:
            result[part] = PARTS[part](settings)
        except DisagreementError as error:
            print(error, file=sys.stderr)
            return 1
        text = json.dumps(result, indent=1, ensure_ascii=False)
        (settings.out / "results.json").write_text(text + "\n", encoding="utf-8")
    print(f"\nwritten to {settings.out}")
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}")
    result.add_argument("--quick", action="store_true", help="5 repetitions, one thread, no JIT")
    result.add_argument("--repetitions", type=positive, help="samples a side (default: 15)")
    result.add_argument("--threads", type=positive, nargs="+", help="(default: 1 2)")
    result.add_argument("--only", nargs="+", default=[], help="rows with one of these words")
    result.add_argument("--level", choices=("base", "v2", "v3", "v4"), help="CPU level to use")
    result.add_argument("--levels", action="store_true", help="the same as the part levels")
    result.add_argument("--out", type=Path, default=Path("benchmark-results"), help="a folder")
    return result


def positive(text: str) -> int:
    """A whole number from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def parts_of(args: argparse.Namespace) -> list[str]:
    """The parts that were asked for, or the main tables."""
    unknown = [part for part in args.parts if part not in PARTS]
    if unknown:
        parser().error(f"no such part: {', '.join(unknown)} (choose of {', '.join(PARTS)})")
    chosen = [*args.parts, *(["levels"] if args.levels else [])]
    return list(dict.fromkeys(chosen)) or list(MAIN)


def settings_of(args: argparse.Namespace) -> Settings:
    """The options with their defaults."""
    threads = tuple(args.threads or default_threads(args.quick))
    repetitions = args.repetitions or (5 if args.quick else 15)
    return Settings(threads, repetitions, args.quick, tuple(args.only), args.out)


def introduce(found: dict[str, Any], settings: Settings) -> None:
    """On what is measured, and what may distort it."""
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    info = found["kernels"]
    print(f"{found['processor']}, kernels {info['engine']} {info['level']}; {versions}")
    if max(settings.threads) > processors():
        print(f"{max(settings.threads)} threads on {processors()} processor(s): all sides suffer")


if __name__ == "__main__":
    raise SystemExit(main())
