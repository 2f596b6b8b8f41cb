"""How the time grows: with threads, pictures in a batch, channels, and the size of a picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from . import charts, goals
from .compare import measure
from .nets import NETS, POOL, RELU, Conv, Full, Net, Task
from .peers import MINICNN, PEERS
from .settings import Settings
from .timing import summarise
from .workers import processors, workers


class Point(NamedTuple):
    """A measurement: in which series, at which value, of what."""

    series: str
    value: int
    label: str
    task: Task
    threads: int


def run(settings: Settings) -> list[dict[str, Any]]:
    """Measure all series beside PyTorch, print them, draw them."""
    records: list[dict[str, Any]] = []
    for point in points(settings):
        if not settings.wanted(point.series):
            continue
        record = measured(point, settings.repetitions)
        if not records or records[-1]["series"] != point.series:
            print(f"\n{point.series:<34}{'':>5}{'minicnn ms':>12}{'PyTorch ms':>12}{'ratio':>7}")
        print(line(record) + gain(record, records), flush=True)
        records.append(record)
    if records:
        charts.scaling(records, settings.out / "scaling.png")
    return records


def points(settings: Settings) -> Iterator[Point]:
    """What is measured; a quick run takes fewer values of each series."""
    every, threads = (3 if settings.quick else 1), settings.threads[0]
    counts = sorted({1, *settings.threads, processors()})
    for net in NETS:
        for count in counts:
            task = Task(net, "train", net.batch)
            yield Point("threads", count, f"train {net.name}", task, count)
    for label in ("train", "infer"):
        for batch in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)[::every]:
            task = Task(NETS[1], "train" if label == "train" else "infer", batch)
            yield Point("batch size", batch, f"{label} {NETS[1].name}", task, threads)
    for channels in (1, 2, 4, 8, 16, 32, 64, 128, 256)[::every]:
        task = Task(two_convolutions(channels, 28), "train", 16)
        yield Point("channels", channels, "train two convolutions", task, threads)
    for size in (8, 16, 32, 64, 128, 224)[::every]:
        task = Task(two_convolutions(16, size), "train", 16)
        yield Point("picture size", size, "train two convolutions", task, threads)


def two_convolutions(channels: int, size: int) -> Net:
    """A net of which one thing at a time can be changed."""
    parts = (
        *(Conv(3, channels, 3, padding=1), RELU, Conv(channels, channels, 3, padding=1), RELU),
        *(POOL, Full(channels * (size // 2) ** 2, 10)),
    )
    return Net(f"{channels} channels, {size}×{size}", (3, size, size), 16, parts)


def measured(point: Point, repetitions: int) -> dict[str, Any]:
    """A point's times, of minicnn and of PyTorch where it is installed."""
    peers = [peer for peer in (MINICNN, goals.PYTORCH) if PEERS[peer].installed]
    with workers(*peers, threads=point.threads) as team:
        samples = measure(point.task, team, repetitions)
    return {
        "series": point.series,
        "value": point.value,
        "task": point.label,
        "batch": point.task.batch,
        "threads": point.threads,
        "ms": {peer: 1e3 * summarise(values).median for peer, values in samples.items()},
    }


def line(record: dict[str, Any]) -> str:
    """A point in text."""
    mine, theirs = record["ms"][MINICNN], record["ms"].get(goals.PYTORCH)
    text = f"{record['task']:<34}{record['value']:>5}{mine:>12.3f}"
    return text if theirs is None else f"{text}{theirs:>12.3f}{theirs / mine:>7.2f}"


def gain(record: dict[str, Any], former: list[dict[str, Any]]) -> str:
    """Of two threads: how much faster than one both sides are, and whether that is enough."""
    if record["series"] != "threads" or record["threads"] == 1:
        return ""
    one = next(r for r in former if r["task"] == record["task"] and r["threads"] == 1)
    gains = {peer: one["ms"][peer] / record["ms"][peer] for peer in record["ms"]}
    text = "   faster than one thread: " + ", ".join(f"{p} {g:.2f}×" for p, g in gains.items())
    larger = record["task"].removeprefix("train ") in goals.LARGER_NETS
    if record["threads"] == 2 and larger and gains[MINICNN] < goals.TWO_THREADS.at_least:
        text += f"  short of {goals.TWO_THREADS.at_least:g}"
    return text
