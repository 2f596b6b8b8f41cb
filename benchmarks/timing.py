"""Fair timing: the sides take turns, so that whatever the machine does meets them all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

Side = Callable[[], object]
"""One run of the work that is timed."""

Timer = Callable[[int], float]
"""Seconds a call, of so many calls in a row: of a side here, or in another process."""

Samples = dict[str, list[float]]
"""For each side the seconds of a call, round by round."""

SHORTEST = 20e-3
"""Seconds that one sample lasts at least: shorter work is repeated within it."""


PLACING = 0.1
"""Seconds that Linux may take to give each of several threads a processor of its own.

When they wake after some tenths of a second, it may put them on one, until it next balances loads.
Meanwhile two threads are slower than one, whatever they compute.
"""


class Timing(NamedTuple):
    """The median of all samples, and the quartiles around it."""

    median: float
    low: float
    high: float


def take_turns(timers: Mapping[str, Timer], repetitions: int, warm_up: int = 3) -> Samples:
    """Time every side, one sample of each in a round; each round begins with another side."""
    calls = {name: calls_per_sample(timer, warm_up) for name, timer in timers.items()}
    samples: Samples = {name: [] for name in timers}
    names = list(timers)
    for _ in range(repetitions):
        for name in names:
            samples[name].append(timers[name](calls[name]))
        names.append(names.pop(0))
    return samples


def calls_per_sample(timer: Timer, warm_up: int) -> int:
    """Warm a side up, and find how many calls make a sample long enough to measure."""
    timer(warm_up)
    once = min(timer(1) for _ in range(2))
    return max(1, round(SHORTEST / once))


def sample(side: Side, calls: int, warm_up: float = 0) -> float:
    """Seconds a call, after at least one call and ``warm_up`` seconds that are not counted.

    Returns when this process is quiet again.
    """
    start = time.perf_counter()
    while calls > 1 or warm_up:  # caches and threads have been another's, or asleep
        side()
        if time.perf_counter() - start >= warm_up:
            break
    start = time.perf_counter()
    for _ in range(calls):
        side()
    seconds = time.perf_counter() - start
    settle()
    return seconds / calls


def settle(pause: float = 2e-3, longest: float = 0.2) -> None:
    """Wait until the idle threads of this process sleep.

    The threads of OpenMP and of ONNX Runtime spin for up to 60 ms after their last work, in case
    more comes. The side whose turn is next must not pay for that.
    """
    for _ in range(round(longest / pause)):
        before = time.process_time()
        time.sleep(pause)
        if time.process_time() - before < pause / 4:
            return


def summarise(values: list[float]) -> Timing:
    """Median and quartiles."""
    if len(values) < 2:
        return Timing(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Timing(median, low, high)


def ratios(theirs: list[float], mine: list[float]) -> Timing:
    """How often the one time goes into the other, round by round.

    What slows the machine down for a while slows both sides of a round: their ratio stays.
    """
    return summarise([a / b for a, b in zip(theirs, mine, strict=True)])
