"""The nets: minicnn beside every peer, each in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator

from . import goals
from .nets import NETS, Task
from .peers import MINICNN, PEERS, same
from .rows import Row, rows_of
from .timing import Samples, take_turns
from .workers import Worker, WorkerError, workers

INFER_BATCH = 64


def tasks() -> list[Task]:
    """Training, inference in batches and of single pictures, with each of the nets."""
    result = []
    for net in NETS:
        result += [Task(net, "train", net.batch), Task(net, "infer", INFER_BATCH)]
        result.append(Task(net, "infer", 1))
    return result


def peers_here(threads: int, quick: bool) -> list[str]:
    """minicnn, and the peers that are installed and can be measured so."""
    names = [name for name, peer in PEERS.items() if peer.installed]
    if quick:
        names = [name for name in names if not PEERS[name].slow_start]
    # JAX has no setting for its number of threads: only one processor makes it one for certain.
    return [name for name in names if name != "JAX" or threads == 1]


def net_rows(
    chosen: Iterable[Task], peers: Iterable[str], threads: int, repetitions: int
) -> Iterator[Row]:
    """The rows of each task, as they are measured."""
    chosen = list(chosen)
    if not chosen:
        return
    with workers(*peers, threads=threads) as team:
        for task in chosen:
            able = [worker for worker in team if task.work in PEERS[worker.peer].works]
            samples = measure(task, able, repetitions)
            yield from rows_of(task.name, samples, threads, goal_of(task))


def goal_of(task: Task) -> Callable[[str], goals.Goal | None]:
    """The goal of this task beside a peer."""
    return lambda peer: goals.of_net(task.net.name, task.work, task.batch, peer)


def measure(task: Task, team: list[Worker], repetitions: int) -> Samples:
    """Prepare all, see that they agree, and let them take turns."""
    ready = agreeing(task, team)
    return take_turns({worker.peer: worker.seconds for worker in ready}, repetitions)


def agreeing(task: Task, team: list[Worker]) -> list[Worker]:
    """The workers that can do the task; they are prepared, and compute what minicnn computes.

    Raises:
        DisagreementError: one computes something else.
        WorkerError: minicnn cannot.
    """
    ready, expected = [], None
    for worker in team:
        try:
            worker.prepare(task)
            result = worker.run(3)  # the third loss shows two updates
        except WorkerError as error:
            if worker.peer == MINICNN:
                raise
            print(f"{task.name}: left out, {str(error).splitlines()[0]}", file=sys.stderr)
            continue
        if worker.peer == MINICNN:
            expected = result
        elif expected is not None:
            same(expected, result, f"{task.name}, {worker.peer}")
        ready.append(worker)
    return ready
