"""What minicnn weighs: memory of a training, time and memory of the import, size of the wheel.

    python -m benchmarks.footprint [--check] [--wheel FILE]

Every figure is the median of fresh processes. With ``--check``, exits with 1 if one is past its
limit. Import time is wall time on top of ``import numpy``; on a busy machine quote the ratio to
NumPy's own import beside it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

# In ms and MB. An import is measured beside NumPy's own, which takes some 100 ms: where it takes
# longer, the machine is slow for the moment, and the limit grows with it.
LIMITS = {"training": 250.0, "import_ms": 60.0, "import_mb": 15.0, "wheel_mb": 8.0}

TIME = """
import time
before = time.perf_counter()
import numpy
middle = time.perf_counter()
import {name}
print((time.perf_counter() - middle) * 1e3, (middle - before) * 1e3)
"""

MEMORY = """
import numpy
from benchmarks.peak import peak_mb
before = peak_mb()
import {name}
print(peak_mb() - before, 0)
"""

TRAIN = """
import sys
from benchmarks.peak import peak_mb
from minicnn.cli import main
assert main(["train", "--quiet", "--out", sys.argv[1]]) == 0
print(peak_mb(), 0)
"""


def measure(program: str, *arguments: str, runs: int = 1) -> tuple[float, float]:
    """The medians of the two numbers that ``program`` prints last."""
    # An installed package has its bytecode; a checkout gets it from the first of the processes.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", program, *arguments]
    results = []
    for _ in range(runs):
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        results.append([float(word) for word in done.stdout.split()[-2:]])
    first, second = (statistics.median(column) for column in zip(*results, strict=True))
    return first, second


def main() -> int:
    """Measure, print the table, and with --check compare with the limits."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.footprint", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 past a limit")
    parser.add_argument("--wheel", type=Path, help="a wheel to weigh")
    parser.add_argument("--runs", type=int, default=15, help="imports to take the median of")
    args = parser.parse_args()
    figures: dict[str, float] = {}
    figures["import_ms"], numpy_ms = measure(TIME.format(name="minicnn"), runs=args.runs)
    figures["import_mb"], _ = measure(MEMORY.format(name="minicnn"), runs=3)
    with tempfile.TemporaryDirectory() as folder:
        figures["training"], _ = measure(TRAIN, str(Path(folder, "run")))
    if args.wheel is not None:
        figures["wheel_mb"] = args.wheel.stat().st_size / 1e6
    texts = {
        "training": "peak memory of the default training, MB",
        "import_ms": f"import minicnn, ms (import numpy: {numpy_ms:.0f} ms)",
        "import_mb": "import minicnn, MB",
        "wheel_mb": "wheel, MB",
    }
    limits = {**LIMITS, "import_ms": max(LIMITS["import_ms"], 0.6 * numpy_ms)}
    past = []
    print(f"{'':<48}{'measured':>9}{'limit':>8}")
    for name, value in figures.items():
        print(f"{texts[name]:<48}{value:>9.1f}{limits[name]:>8.0f}")
        if value > limits[name]:
            past.append(texts[name])
    if importlib.util.find_spec("torch") is not None:
        milliseconds, _ = measure(TIME.format(name="torch"), runs=3)
        megabytes, _ = measure(MEMORY.format(name="torch"))
        print(f"{'import torch, ms':<48}{milliseconds:>9.1f}")
        print(f"{'import torch, MB':<48}{megabytes:>9.1f}")
    for text in past:
        print(f"past its limit: {text}", file=sys.stderr)
    return 1 if past and args.check else 0


if __name__ == "__main__":
    raise SystemExit(main())
