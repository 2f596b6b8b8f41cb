"""Fair timing: the sides take turns, so that whatever the machine does meets them all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

Side = Callable[[], object]

SHORTEST = 2e-3
"""Seconds that one sample lasts at least: shorter work is repeated within it."""


class Timing(NamedTuple):
    """Seconds a call: the median of all samples, and the quartiles around it."""

    median: float
    low: float
    high: float


def take_turns(sides: Mapping[str, Side], repetitions: int, warm_up: int = 3) -> dict[str, Timing]:
    """Time every side, one sample of each in turn."""
    calls = {name: calls_per_sample(side, warm_up) for name, side in sides.items()}
    samples: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repetitions):
        for name, side in sides.items():
            samples[name].append(sample(side, calls[name]))
    return {name: summarise(times) for name, times in samples.items()}


def calls_per_sample(side: Side, warm_up: int) -> int:
    """Warm a side up, and find how many calls make a sample long enough to measure."""
    for _ in range(warm_up):
        side()
    once = min(sample(side, 1) for _ in range(2))
    return max(1, round(SHORTEST / once))


def sample(side: Side, calls: int) -> float:
    """Seconds a call."""
    start = time.perf_counter()
    for _ in range(calls):
        side()
    return (time.perf_counter() - start) / calls


def summarise(times: list[float]) -> Timing:
    """Median and quartiles."""
    if len(times) < 2:
        return Timing(times[0], times[0], times[0])
    low, median, high = statistics.quantiles(times, n=4, method="inclusive")
    return Timing(median, low, high)
