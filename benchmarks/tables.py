"""The main tables: the nets, the operators, and the limits of the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

from . import charts, convolutions, operators
from .compare import net_rows, peers_here, tasks
from .goals import PYTORCH, Goal
from .operators import Operator
from .peers import MINICNN, PEERS
from .report import show, summary
from .roofline import L2, MEMORY, Roofline
from .rows import Row, rows_of
from .settings import Settings, in_process
from .timing import take_turns
from .workers import workers


def nets(settings: Settings) -> list[dict[str, Any]]:
    """Each net beside each peer."""
    rows: list[Row] = []
    chosen = [task for task in tasks() if settings.wanted(task.name)]
    for threads in settings.threads:
        peers = peers_here(threads, settings.quick)
        if peers == [MINICNN]:
            print("\nnets: left out, for no peer is installed")
            break
        rows += show(net_rows(chosen, peers, threads, settings.repetitions), threads)
        if "JAX" in peers:
            print("JAX takes as many threads as it sees processors: here it sees one.")
    return finish(rows, settings, "nets.png")


def all_operators(settings: Settings) -> dict[str, Any]:
    """Each operator beside PyTorch, and under the roofline."""
    if not PEERS[PYTORCH].installed:
        print("\noperators: left out, for PyTorch is not installed")
        return {"skipped": "PyTorch is not installed"}
    chosen = [operator for operator in every_operator() if settings.wanted(operator.name)]
    rows: list[Row] = []
    limits = []
    for threads in settings.threads if chosen else ():
        with in_process(threads):
            roofline = Roofline(threads)
            found = operator_rows(chosen, threads, settings.repetitions, roofline)
            rows += show(found, threads, shares=True)
            limits.append(roofline.record())
            print(limits_text(limits[-1]))
    if rows:
        charts.roofline(rows, limits, settings.out / "roofline.png")
    return {"rows": finish(rows, settings, "operators.png"), "limits": limits}


def every_operator() -> Iterator[Operator]:
    """All operators, those that share arrays one after the other."""
    for group in chain(operators.groups(), convolutions.groups()):
        yield from group.operators()


def goal_of(operator: Operator) -> Callable[[str], Goal | None]:
    """The goal of this operator beside a peer: PyTorch, in whatever way."""
    return lambda peer: operator.goal


def operator_rows(
    chosen: Iterable[Operator], threads: int, repetitions: int, roofline: Roofline | None = None
) -> Iterator[Row]:
    """The rows, as they are measured, each side in a process of its own."""
    with workers(MINICNN, PYTORCH, threads=threads) as team:
        for operator in chosen:
            for worker in team:
                worker.prepare(operator)
            samples = take_turns({w.peer: w.seconds for w in team}, repetitions)
            (row,) = rows_of(operator.name, samples, threads, goal_of(operator))
            if roofline is not None:
                operations, moved = team[0].cost(operator)
                row = replace(row, share=roofline.share(operations, moved, row.mine.median))
            yield row


def limits_of_machine(settings: Settings) -> list[dict[str, Any]]:
    """The peak, and the bandwidth of copies of all sizes."""
    records = []
    for threads in settings.threads:
        with in_process(threads):
            roofline = Roofline(threads)
            record = roofline.record()
            print(f"\nthreads: {threads}\n{limits_text(record)}")
            sizes = [2**exponent for exponent in range(14, 31, 2)]
            record["copies"] = [[size, roofline.bandwidth(size) / 1e9] for size in sizes]
            for size, rate in record["copies"]:
                print(f"a copy that moves {size / 1024:>9,.0f} KB{rate:>8.1f} GB/s")
        records.append(record)
    return records


def limits_text(record: dict[str, Any]) -> str:
    """The machine's limits in a line."""
    return (
        f"limits on {record['threads']} thread(s): {record['peak_gflops']:.1f} GFLOP/s; copies of "
        f"{L2 // 1024} KB {record['copy_l2_gb_s']:.1f} GB/s, "
        f"of {MEMORY // 2**20} MB {record['copy_memory_gb_s']:.1f} GB/s"
    )


def finish(rows: list[Row], settings: Settings, picture: str) -> list[dict[str, Any]]:
    """Sum up, draw, and give what is to be written."""
    if rows:
        print(summary(rows))
        charts.ratios(rows, settings.out / picture)
    return [row.record() for row in rows]
