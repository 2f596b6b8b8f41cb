"""The two limits of a processor: how fast it can calculate, and how fast it can move numbers.

    python -m benchmarks.roofline_limits [--threads 1 2]

Both are measured and not looked up, with the compiled kernels of the CPU level in use:
multiply-adds on a tile of sums in registers, and copies of an array, in which every byte counts
twice, once read and once written (`fma_peak` and `copy_peak` in minicnn/kernels/plain.pyx). The
best of several trials counts, for a limit is what nothing can exceed: a trial that something else
on the machine disturbed says nothing about it.

Work that does so many operations for each byte that it moves is bounded by the lower of the two:
that is the roofline model.
"""

from __future__ import annotations

import argparse
import importlib
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from minicnn import kernels

PAGE = 4096
TRIALS = 7
TRIAL_SECONDS = 0.03
COPIED = 32 * 1024 * 1024
"""Bytes copied in one go unless told: with their copy, more than most caches hold."""


class Limits(NamedTuple):
    """What a number of threads can do at most: operations a second, and bytes a second."""

    peak: float
    bandwidth: float

    def roof(self, intensity: float) -> float:
        """The most operations a second for work of so many operations a byte."""
        return min(self.peak, intensity * self.bandwidth)

    @classmethod
    def measured(cls, threads: int = 1, size: int = COPIED) -> Limits:
        """Both limits; the bandwidth that of copying `size` bytes."""
        return cls(measured_peak(threads), measured_bandwidth(threads, size))


def plain() -> ModuleType:
    """The textbook loops and the two peaks, compiled for the CPU level in use.

    Raises:
        RuntimeError: the engine in use is not compiled.
    """
    level = kernels.info()["level"]
    if level is None:
        raise RuntimeError(
            "the compiled kernels are needed here, and the engine in use is reference: "
            "unset MINICNN_BACKEND"
        )
    return importlib.import_module(f"minicnn.kernels._{level}.plain")


def measured_peak(threads: int = 1) -> float:
    """Operations a second in single precision; a multiply-add is two."""
    fma_peak = plain().fma_peak
    return 2 * best_rate(lambda _, repetitions: int(fma_peak(repetitions)), threads)


def measured_bandwidth(threads: int = 1, size: int = COPIED) -> float:
    """Bytes a second, read and written, while the threads together copy `size` bytes.

    What fits in a cache is copied faster than what does not: to judge a piece of work, copy
    half as many bytes as it moves.
    """
    copy_peak = plain().copy_peak
    pairs = [apart(max(1, math.ceil(size / threads))) for _ in range(threads)]
    return best_rate(lambda k, repetitions: int(copy_peak(*pairs[k], repetitions)), threads)


def apart(size: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Two arrays whose places in memory differ by half a page, and some pages.

    A processor looks at the place within a page first. Where source and target of a copy differ by
    a few bytes there, it takes each load for one of what has just been stored, and waits: such a
    copy takes far longer, and says nothing about the memory.
    """
    distance = math.ceil(size / PAGE) * PAGE + PAGE // 2
    memory = np.ones(distance + size, np.uint8)
    return memory[:size], memory[distance:]


def best_rate(task: Callable[[int, int], int], threads: int) -> float:
    """Units of work a second, of all threads together, in the best of several trials.

    Thread k calls task(k, repetitions), which returns the units that it has done.
    """
    repetitions = long_enough(task)
    rates = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(TRIALS):
            start = time.perf_counter()
            done = sum(pool.map(task, range(threads), [repetitions] * threads))
            rates.append(done / (time.perf_counter() - start))
    return max(rates)


def long_enough(task: Callable[[int, int], int]) -> int:
    """The repetitions that keep one thread busy for TRIAL_SECONDS; finding out warms it up."""
    repetitions, shortest = 1, 0.0
    while shortest < TRIAL_SECONDS:
        repetitions *= 2
        times = []
        for _ in range(3):  # one sample that was held up would make too few look enough
            start = time.perf_counter()
            task(0, repetitions)
            times.append(time.perf_counter() - start)
        shortest = min(times)
    return repetitions


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.roofline_limits",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    print(f"level {kernels.info()['level']}\n{'threads':>8}{'GFLOP/s':>10}{'GB/s':>8}")
    for threads in args.threads:
        peak, bandwidth = Limits.measured(threads)
        print(f"{threads:>8}{peak / 1e9:>10.1f}{bandwidth / 1e9:>8.1f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
