"""The loops: compiled for the processor's level, or plain NumPy, behind the same names.

    from minicnn import kernels
    kernels.engine.relu_forward(x, y, kernels.threads)

`engine` has the functions in use and `threads` the number of threads to hand them; read both at
each call, for `use_backend` and `set_num_threads` change them. The functions check dtypes,
dimensions and contiguity alone: the layers check the rest before they call.

What each function does is said, in the plainest form, in `minicnn/kernels/reference.py`.

The environment, read once at import:

    MINICNN_BACKEND      cython (the default) or reference, the slow NumPy engine
    MINICNN_CPU          v4, v3, v2 or base: a lower CPU level than the processor has
    MINICNN_NUM_THREADS  a cap on the number of threads, as is OMP_NUM_THREADS
    MINICNN_WINOGRAD     0: all convolutions are summed directly
"""

from __future__ import annotations

import os
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, TypedDict

from . import _choice

if TYPE_CHECKING:
    # Every engine has the functions of the reference: calls are checked against those.
    from . import reference as engine

__all__ = [
    "Info",
    "engine",
    "get_num_threads",
    "info",
    "set_num_threads",
    "set_winograd",
    "threads",
    "use_backend",
    "winograd",
]

threads: int
"""Threads to hand to the kernels."""

winograd: bool
"""Whether convolutions that it suits may go Winograd's way; to hand to the kernels."""


class Info(TypedDict):
    """What `info()` tells; None where a thing does not apply or is not known."""

    engine: str  # "cython" or "reference"
    level: str | None  # the CPU level in use: "v4", "v3", "v2" or "base"
    cpu_level: str | None  # the highest level that the processor has
    why: str  # why this engine and level
    threads: int
    winograd: bool  # whether 3x3 convolutions of many channels may go Winograd's way
    openmp: str | None  # the OpenMP runtime and standard; None for a serial build
    compiler: str | None
    debug_build: bool


class _State:
    """What is loaded. The engine in use is the module's own `engine`."""

    backend = ""
    level: str | None = None
    why = ""  # of the compiled level
    reference_why = ""
    cpu: ModuleType | None = None
    compiled: ModuleType | None = None  # once loaded
    forked = False


def use_backend(name: str) -> _Restore:
    """Switch to the engine "cython" or "reference", at once.

    The result is a context manager: `with use_backend("reference"): ...` returns to the former
    engine at its end; called on its own the switch stays.

    Raises:
        ValueError: no engine has this name.
        ImportError: the compiled kernels are asked for and missing.
    """
    former = _State.backend
    _switch(_choice.check_backend(name, "use_backend"), f'use_backend("{name}") asked for it')
    return _Restore(former)


class _Restore:
    """Returns to the former engine when a `with use_backend(...)` block ends."""

    def __init__(self, former: str) -> None:
        self._former = former

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _switch(self._former, f'the end of a "with use_backend" block returned to {self._former}')


def _switch(name: str, why: str) -> None:
    if name == "reference":
        from . import reference

        globals()["engine"] = reference
    else:
        if _State.compiled is None:
            with _choice.short_spinning(os.environ):
                cpu = _choice.load_cpu()
                loaded = _choice.load_level(cpu.cpu_level(), os.environ)
            _State.cpu = cpu
            _State.level, _State.compiled, _State.why = loaded
        globals()["engine"] = _State.compiled
    _State.backend = name
    _State.reference_why = why


def set_num_threads(count: int) -> None:
    """Let the kernels run on `count` threads. Results are the same bits for every count.

    Raises:
        TypeError: not a whole number. ValueError: not from 1 to 1024.
        RuntimeError: more than one in a forked process, where OpenMP would wait for ever.
    """
    global threads
    number = _choice.check_threads(count)
    if number > 1 and _State.forked:
        raise RuntimeError(
            f"set_num_threads({number}) in a forked process: the threads of OpenMP do not survive "
            "a fork, and a kernel that waits for them would hang. Keep one thread here, or start "
            'the process afresh, as multiprocessing.get_context("spawn") does'
        )
    threads = number


def get_num_threads() -> int:
    """The number of threads that the kernels run on."""
    return threads


def set_winograd(on: bool) -> None:
    """Whether float32 convolutions of many channels, 3×3 and stride 1, may go Winograd's way.

    It takes a third of the multiplications, and rounds up to three times as coarsely as the direct
    sum: far below what training notices. A NaN or infinity spreads to its whole 4×2 tile.

    Raises:
        TypeError: neither True nor False.
    """
    global winograd
    if not isinstance(on, bool):
        raise TypeError(f"set_winograd takes True or False, got {on!r}")
    winograd = on


def info() -> Info:
    """What is in use and why, for `minicnn doctor` and bug reports."""
    cpu = _State.cpu
    compiled = _State.backend == "cython"
    openmp = None
    if cpu is not None and cpu.openmp_version():
        openmp = f"{cpu.openmp_runtime()} (OpenMP {cpu.openmp_version()})"
    return Info(
        engine=_State.backend,
        level=_State.level if compiled else None,
        cpu_level=cpu.cpu_level() if cpu is not None else None,
        why=_State.why if compiled else _State.reference_why,
        threads=threads,
        winograd=winograd,
        openmp=openmp,
        compiler=cpu.compiler() if cpu is not None else None,
        debug_build=bool(cpu is not None and cpu.debug_build()),
    )


def _after_fork_in_child() -> None:
    """One thread from here on: OpenMP's others stayed in the parent."""
    global threads
    threads = 1
    _State.forked = True


threads = _choice.default_threads(os.environ)
winograd = _choice.winograd_from(os.environ)
_switch(_choice.backend_from(os.environ), "MINICNN_BACKEND=reference asks for it")
if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_after_fork_in_child)
