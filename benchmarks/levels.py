"""The ladder of CPU levels: what the same source gains from wider instructions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from minicnn import kernels
from minicnn.kernels import _choice

from . import charts
from .compare import tasks
from .nets import Task
from .peers import MINICNN, same
from .settings import Settings
from .timing import summarise, take_turns
from .workers import Worker


def run(settings: Settings) -> list[dict[str, Any]]:
    """Measure every net at every level; print the times, and the ratios to the lowest."""
    levels, records = available(), []
    if not levels:
        print("\nlevels: there are none, for the compiled kernels are not in use")
        return []
    for threads in settings.threads:
        columns = "".join(f"{level + ' ms':>11}{'':>7}" for level in levels)
        print(f"\n{f'threads: {threads}':<30}{columns}")
        for record in measure(levels, threads, settings):
            times = record["ms"]
            slowest = times[levels[0]]
            cells = (f"{times[name]:>11.3f}{slowest / times[name]:>6.2f}×" for name in levels)
            print(f"{record['task']:<30}{''.join(cells)}", flush=True)
            records.append(record)
    groups = {f"{r['task']} · {r['threads']} thr.": gains(r["ms"]) for r in records}
    if groups:
        unit = "time at the lowest level / time at this one"
        charts.grouped(groups, unit, settings.out / "levels.png")
    return records


def gains(times: dict[str, float]) -> dict[str, float]:
    """How much faster than the first level each one is."""
    first = next(iter(times.values()))
    return {level: first / value for level, value in times.items()}


def available() -> list[str]:
    """The levels that were built and that this processor has, the lowest first."""
    highest = kernels.info()["cpu_level"]
    if highest is None:
        return []
    candidates = reversed(_choice.candidate_levels(highest, {}))
    return [level for level in candidates if _choice.is_built(level)]


def measure(levels: list[str], threads: int, settings: Settings) -> Iterator[dict[str, Any]]:
    """For each task the times of all levels, which take turns in processes of their own."""
    chosen = [task for task in tasks() if settings.wanted(task.name)]
    with ExitStack() as stack:
        team = {level: Worker(MINICNN, threads, {"MINICNN_CPU": level}) for level in levels}
        for worker in team.values():
            stack.callback(worker.stop)
        for task in chosen:
            agree(task, team)
            timers = {level: worker.seconds for level, worker in team.items()}
            samples = take_turns(timers, settings.repetitions)
            times = {level: 1e3 * summarise(values).median for level, values in samples.items()}
            yield {"task": task.name, "threads": threads, "ms": times}


def agree(task: Task, team: dict[str, Worker]) -> None:
    """See that all levels compute the same, to rounding."""
    results = {}
    for level, worker in team.items():
        worker.prepare(task)
        results[level] = worker.run(3)
    first = next(iter(results.values()))
    for level, result in results.items():
        same(first, result, f"{task.name} at {level}")
