"""Time functions side by side, as the lessons and their exercises do, and name the machine."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from statistics import median


def medians(functions: Mapping[str, Callable[[], object]], rounds: int = 7) -> dict[str, float]:
    """Median seconds of each function, by name.

    Each is called once to warm up. Then they take turns, so that a slow moment of the machine
    meets all of them.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    return {name: median(taken) for name, taken in times.items()}


def machine() -> str:
    """The machine and the day, to stand beside what was timed."""
    count = os.cpu_count() or 1
    plural = "s" if count > 1 else ""
    return f"{processor()}, {count} processor{plural}, {time.strftime('%Y-%m-%d')}"


def processor() -> str:
    """The processor's name, or where the system does not tell it, its architecture."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for text in lines:
                if text.startswith("model name"):
                    return text.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
