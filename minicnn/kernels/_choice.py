"""Which compiled kernels to use, and how many threads: the reading of the environment.

Pure functions and loading; the state (which engine is in use) is in `minicnn.kernels`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

# The families that make an engine.
ENGINE = ("conv", "pool", "norm", "elementwise", "gemm", "update", "warp", "plan")
FAMILIES = (*ENGINE, "plain")  # and the lesson, which is built with them and used by none
LEVELS = ("base", "v2", "v3", "v4")  # ascending
BACKENDS = ("cython", "reference")
MAX_THREADS = 1024

HOW_TO_BUILD = (
    "In a checkout, build them with `pip install -e .` or `python setup.py build_ext --inplace`; "
    "elsewhere, install minicnn again. "
    "MINICNN_BACKEND=reference runs the slow NumPy engine instead."
)


def backend_from(environ: Mapping[str, str]) -> str:
    """The engine asked for by MINICNN_BACKEND; "cython" when nothing was asked."""
    return check_backend(environ.get("MINICNN_BACKEND") or "cython", "MINICNN_BACKEND")


def check_backend(name: object, where: str) -> str:
    if not isinstance(name, str) or name not in BACKENDS:
        raise ValueError(f"{where}: expected one of {', '.join(BACKENDS)}, got {name!r}")
    return name


def candidate_levels(cpu: str, environ: Mapping[str, str]) -> list[str]:
    """The levels to try, best first: what the CPU has, or the one that MINICNN_CPU names.

    Raises:
        ValueError: MINICNN_CPU is no level, or one that this processor lacks.
    """
    asked = environ.get("MINICNN_CPU")
    if not asked:
        return list(LEVELS[LEVELS.index(cpu) :: -1])
    if asked not in LEVELS:
        raise ValueError(f"MINICNN_CPU: expected one of {', '.join(LEVELS)}, got {asked!r}")
    if LEVELS.index(asked) > LEVELS.index(cpu):
        raise ValueError(
            f"MINICNN_CPU: {asked} asks for more than this processor has, which is {cpu}; "
            "the variable can lower the level, never raise it"
        )
    return [asked]


def load_cpu() -> ModuleType:
    """The module that knows the processor; ImportError with advice when it is not built."""
    return _import_built("_cpu")


@contextmanager
def short_spinning(environ: MutableMapping[str, str]) -> Iterator[None]:
    """While the OpenMP runtime is being loaded, ask it to let idle threads sleep early.

    GNU's runtime lets a thread without work spin for milliseconds, which takes the processor from
    whatever else runs, minicnn's own second thread included. 1000 rounds, some 20 microseconds,
    is what it chooses itself when there are more threads than processors: on two processors
    beside a busy loop, a training step of the toy net took 1.4 times less, and on an idle machine
    it took the same. The runtime reads the environment once, when it is loaded, so the variable
    does not outlive this block; a wish of the user's stands.
    """
    if "GOMP_SPINCOUNT" in environ or "OMP_WAIT_POLICY" in environ:
        yield
        return
    environ["GOMP_SPINCOUNT"] = "1000"
    try:
        yield
    finally:
        del environ["GOMP_SPINCOUNT"]


def load_level(cpu: str, environ: Mapping[str, str]) -> tuple[str, ModuleType, str]:
    """Import the best level that was built: its name, its functions in one namespace, and why.

    Raises:
        ImportError: no usable level was built, or a module is there but cannot be loaded.
        ValueError: see `candidate_levels`.
    """
    levels = candidate_levels(cpu, environ)
    _import_built("_scratch")  # which all levels use, and which is there once
    missing: list[str] = []
    for level in levels:
        try:
            return level, _merge(level), _why(level, cpu, missing, environ)
        except NotBuiltError as error:
            missing.append(f"{level} ({error.family})")
    raise ImportError(
        f"minicnn's compiled kernels are missing for Python {sys.version_info[0]}."
        f"{sys.version_info[1]}: this processor can use {', '.join(levels)}, and not built is "
        f"{', '.join(missing)}. {HOW_TO_BUILD}"
    )


class NotBuiltError(ImportError):
    """A compiled module does not exist, as opposed to one that fails to load."""

    def __init__(self, family: str) -> None:
        super().__init__(f"minicnn's compiled module {family} is missing. {HOW_TO_BUILD}")
        self.family = family


def _import_built(module: str) -> ModuleType:
    name = f"{__package__}.{module}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in (name, name.rpartition(".")[0]):
            raise
        raise NotBuiltError(module.rpartition(".")[2]) from None
    except ImportError as error:
        raise ImportError(
            f"{name} is built but cannot be loaded ({error}). {HOW_TO_BUILD}"
        ) from error


def _merge(level: str) -> ModuleType:
    """One namespace with the functions of all families of an engine, at one level."""
    engine = ModuleType(f"{__package__}._{level}", f"The compiled kernels of level {level}.")
    for family in ENGINE:
        module = _import_built(f"_{level}.{family}")
        for name, value in vars(module).items():
            if callable(value) and not name.startswith("_"):
                setattr(engine, name, value)
    return engine


def is_built(level: str) -> bool:
    """Whether all compiled modules of a level exist; they are not loaded."""
    names = (f"{__package__}._{level}.{family}" for family in FAMILIES)
    return all(find_spec(name) is not None for name in names)


def _why(level: str, cpu: str, missing: list[str], environ: Mapping[str, str]) -> str:
    if environ.get("MINICNN_CPU"):
        return f"MINICNN_CPU={level} asks for it"
    if missing:
        return f"this processor has {cpu}, but not built: {', '.join(missing)}"
    if level == "base":
        return "the only level outside x86-64"
    return "the highest level that this processor has"


def default_threads(environ: Mapping[str, str]) -> int:
    """Processors that this process may use, capped by MINICNN_NUM_THREADS and OMP_NUM_THREADS.

    Raises:
        ValueError: MINICNN_NUM_THREADS is not a whole number from 1 on.
    """
    count = available_processors()
    own = environ.get("MINICNN_NUM_THREADS")
    if own:
        if not own.strip().isdecimal() or int(own) < 1:
            raise ValueError(f"MINICNN_NUM_THREADS: expected a whole number from 1 on, got {own!r}")
        count = min(count, int(own))
    # OMP_NUM_THREADS may be a list, one number for each nesting level. It is not ours: what it
    # should not be, the OpenMP runtime says.
    first = environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if first.isdecimal() and int(first) >= 1:
        count = min(count, int(first))
    return min(count, MAX_THREADS)


def winograd_from(environ: Mapping[str, str]) -> bool:
    """Whether MINICNN_WINOGRAD leaves Winograd's convolution on: yes, unless it is 0.

    Raises:
        ValueError: it is neither 0 nor 1.
    """
    asked = environ.get("MINICNN_WINOGRAD") or "1"
    if asked not in ("0", "1"):
        raise ValueError(f"MINICNN_WINOGRAD: expected 0 or 1, got {asked!r}")
    return asked == "1"


def available_processors() -> int:
    """Processors that this process may run on: fewer than the machine's under taskset or Slurm."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def check_threads(count: object) -> int:
    """A thread count from 1 to MAX_THREADS, as an int; NumPy integers are welcome.

    Raises:
        TypeError: no whole number. ValueError: out of range.
    """
    if isinstance(count, bool) or not hasattr(count, "__index__"):
        raise TypeError(f"num_threads must be an int, got {type(count).__name__} {count!r}")
    number = int(count.__index__())
    if not 1 <= number <= MAX_THREADS:
        raise ValueError(f"num_threads must be from 1 to {MAX_THREADS}, got {number}")
    return number
