"""Each side in a process of its own, driven over a pipe.

In one process the sides would distort each other: every library has threads of its own, and those
without work spin for a while, on processors that the next side needs. A worker sleeps, reading its
pipe, while another works. All workers run on the same processors, as many as they have threads; the
number of threads is in their environment before anything is imported.
"""

from __future__ import annotations

import gc
import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from .nets import Task
from .operators import Operator
from .peak import peak_mb
from .peers import MINICNN, PEERS
from .timing import PLACING, Side, sample

T = TypeVar("T")


class WorkerError(Exception):
    """What went wrong in a worker."""


class Worker:
    """A process that holds one side at a time, of one peer.

    Args:
        peer: Its name in PEERS.
        threads: For the peer, and the number of processors that the process may use.
        settings: Further environment variables.
    """

    def __init__(self, peer: str, threads: int, settings: Mapping[str, str] | None = None) -> None:
        self.peer = peer
        context = get_context("spawn")
        self._pipe, far = context.Pipe()
        self._process = context.Process(target=_serve, args=(peer, threads, far), daemon=True)
        own = {"BENCHMARKS_IMPORT_FIRST": " ".join(PEERS[peer].modules), **(settings or {})}
        with _started_with({**environment(threads), **own}, threads):
            self._process.start()
        far.close()

    def prepare(self, task: Task | Operator) -> None:
        """Build the side that does ``task``, in place of the former one."""
        self._ask("prepare", task)

    def run(self, calls: int = 1) -> list[Any]:
        """What so many calls of the side return."""
        result: list[Any] = self._ask("run", calls)
        return result

    def seconds(self, calls: int) -> float:
        """A `Timer`."""
        return float(self._ask("seconds", calls))

    def cost(self, operator: Operator) -> tuple[float, float]:
        """Operations and bytes of an operator."""
        operations, moved = self._ask("cost", operator)
        return operations, moved

    def peak(self) -> float:
        """The most memory so far, in MB, above what the process had when all was imported."""
        return float(self._ask("peak", None))

    def stop(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.terminate()

    def _ask(self, verb: str, argument: Any) -> Any:
        try:
            self._pipe.send((verb, argument))
            good, answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise WorkerError(f"{self.peer}: the process has ended") from error
        if not good:
            raise WorkerError(f"{self.peer}: {answer}")
        return answer


def alone(peer: str, function: Callable[..., T], *arguments: Any, threads: int) -> T:
    """What ``function`` returns in a fresh process of a peer, with so many threads."""
    first = {"BENCHMARKS_IMPORT_FIRST": " ".join(PEERS[peer].modules)}
    with (
        _started_with({**environment(threads), **first}, threads),
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
    ):
        return pool.submit(function, *arguments).result()


@contextmanager
def workers(*peers: str, threads: int) -> Iterator[list[Worker]]:
    """A worker for each peer; their imports run side by side."""
    started: list[Worker] = []
    try:
        started += [Worker(peer, threads) for peer in peers]
        yield started
    finally:
        for worker in started:
            worker.stop()


def environment(threads: int) -> dict[str, str]:
    """The number of threads, as every library reads it."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MINICNN_NUM_THREADS")
    return {
        **dict.fromkeys(names, str(threads)),
        "TORCHINDUCTOR_COMPILE_THREADS": "1",  # no helpers that live on beside what is timed
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "" if threads > 1 else "--xla_cpu_multi_thread_eigen=false",
    }


@contextmanager
def _started_with(settings: Mapping[str, str], threads: int) -> Iterator[None]:
    """A process that is started here has these variables, and so many processors."""
    former = dict(os.environ)
    os.environ.update(settings)
    try:
        with on_processors(threads):
            yield
    finally:
        os.environ.clear()
        os.environ.update(former)


def processors() -> int:
    """How many this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def on_processors(count: int) -> Iterator[None]:
    """On Linux, this thread and what it starts run on the first ``count`` processors it may use."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _serve(peer: str, threads: int, pipe: Connection) -> None:
    """What the process does: answer until the pipe is closed."""
    for module in PEERS[peer].modules:
        importlib.import_module(module)
    imported = peak_mb()
    side: Side | None = None
    answer: Any
    while True:
        try:
            verb, argument = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            if verb == "prepare":
                side = None
                gc.collect()
                side = side_of(peer, argument, threads)
                answer = None
            elif verb == "cost":
                answer = argument.case(threads).operations, argument.case(threads).bytes
            elif verb == "peak":
                answer = peak_mb() - imported
            else:
                answer = _perform(side, verb, argument, threads)
        except Exception as error:
            pipe.send((False, f"{type(error).__name__}: {error}"))
        else:
            pipe.send((True, answer))


def side_of(peer: str, task: Task | Operator, threads: int) -> Side:
    """What the peer does for a task."""
    if isinstance(task, Task):
        return PEERS[peer].build(task, threads)
    case = task.case(threads)
    return case.mine if peer == MINICNN else case.theirs


def _perform(side: Side | None, verb: str, calls: int, threads: int) -> Any:
    if side is None:
        raise RuntimeError("nothing was prepared")
    if verb == "run":
        return [side() for _ in range(calls)]
    return sample(side, calls, PLACING if threads > 1 else 0)
