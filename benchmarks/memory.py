"""Peak memory of training and of inference with each net, and what an import takes.

Each figure is that of a fresh process: the most it has had in memory after three steps, less what
it had after a step of a net with hardly any weights. What a library loads and sets up once is thus
a figure of its own, and not counted to every net.
"""

from __future__ import annotations

from typing import Any

from . import charts, goals
from .compare import tasks
from .footprint import MEMORY, TIME
from .footprint import measure as in_fresh_process
from .nets import RELU, Conv, Full, Net, Task
from .peers import MINICNN, PEERS
from .settings import Settings
from .workers import Worker

TINY = Net("tiny", (1, 8, 8), 1, (Conv(1, 1, 3), RELU, Full(36, 2)))
LIBRARIES = (MINICNN, goals.PYTORCH, goals.ONNX_RUNTIME)


def run(settings: Settings) -> dict[str, Any]:
    """Measure, print, draw."""
    threads = settings.threads[0]
    peers = [name for name in LIBRARIES if PEERS[name].installed]
    print(f"\nimport, on top of NumPy's{'':<9}{'ms':>9}{'MB':>9}")
    imports = {}
    for peer in peers:
        imports[peer] = import_cost(PEERS[peer].modules[0], runs=3 if settings.quick else 9)
        print(f"{peer:<34}{imports[peer]['ms']:>9.1f}{imports[peer]['mb']:>9.1f}", flush=True)
    print(f"\n{'peak memory, MB':<34}" + "".join(f"{peer:>14}" for peer in peers) + f"{'ratio':>8}")
    rows = {}
    for task in tasks():
        if settings.wanted(task.name):
            rows[task.name] = {
                peer: peak(peer, task, threads) for peer in peers if task.work in PEERS[peer].works
            }
            print(line(task, rows[task.name], peers), flush=True)
    if rows:
        unit = "peak memory, MB, above what the library itself takes"
        charts.grouped(rows, unit, settings.out / "memory.png")
    return {"imports": imports, "threads": threads, "peak_mb": rows}


def import_cost(module: str, runs: int) -> dict[str, float]:
    """Time and memory of an import, on top of NumPy's."""
    milliseconds, _ = in_fresh_process(TIME.format(name=module), runs=runs)
    megabytes, _ = in_fresh_process(MEMORY.format(name=module))
    return {"ms": milliseconds, "mb": megabytes}


def peak(peer: str, task: Task, threads: int) -> float:
    """MB above those of the library, of three steps."""
    worker = Worker(peer, threads)
    try:
        worker.prepare(Task(TINY, task.work, 1))
        worker.run(1)
        library = worker.peak()
        worker.prepare(task)
        worker.run(3)
        return worker.peak() - library
    finally:
        worker.stop()


def line(task: Task, row: dict[str, float], peers: list[str]) -> str:
    """A net's figures, and how much more PyTorch takes."""
    cells = "".join(f"{row[peer]:>14.1f}" if peer in row else f"{'':>14}" for peer in peers)
    text = f"{task.name:<34}{cells}"
    if goals.PYTORCH not in row:
        return text
    ratio = row[goals.PYTORCH] / max(row[MINICNN], 0.1)
    short = task.work == "train" and ratio < goals.MEMORY.at_least
    return f"{text}{ratio:>8.2f}{'  short' if short else ''}"
