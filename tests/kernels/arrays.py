"""What the kernel tests share: random inputs, outputs with guards around them, error bounds."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from minicnn import kernels

Array = npt.NDArray[Any]

GUARD = 64  # numbers before and after an output that a kernel must not touch
SENTINEL = 12345.0


def levels() -> list[str]:
    """The CPU levels that are built and that this processor can run, highest last."""
    order = ["base", "v2", "v3", "v4"]
    highest = kernels.info()["cpu_level"] or "base"
    return [
        level
        for level in order[: order.index(highest) + 1]
        if importlib.util.find_spec(f"minicnn.kernels._{level}") is not None
        and importlib.util.find_spec(f"minicnn.kernels._{level}.conv") is not None
    ]


def family(level: str, name: str) -> ModuleType:
    """One compiled module of one CPU level."""
    return importlib.import_module(f"minicnn.kernels._{level}.{name}")


def random(rng: np.random.Generator, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """Normal numbers in a read-only array, as a user may hand them in."""
    x = rng.standard_normal(shape).astype(dtype)
    x.setflags(write=False)
    return x


class Guarded:
    """An output array full of NaN, between numbers that must stay as they are.

    The array starts at an odd offset, so that nothing may lean on its alignment.
    """

    def __init__(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        size = int(np.prod(shape))
        self._all = np.full(size + 2 * GUARD + 1, SENTINEL, dtype)
        self.array = self._all[GUARD + 1 : GUARD + 1 + size].reshape(shape)
        self.array.fill(np.nan)

    def check(self) -> Array:
        size = self.array.size
        assert (self._all[: GUARD + 1] == SENTINEL).all()
        assert (self._all[GUARD + 1 + size :] == SENTINEL).all()
        return self.array.copy()


def assert_close(got: Array, exact: Array, magnitude: Array, terms: int) -> None:
    """Within what rounding allows a sum of `terms` products whose sizes add up to `magnitude`.

    Rounding errors of n additions grow as sqrt(n), rarely beyond 4 times that.
    """
    assert got.shape == exact.shape
    eps = float(np.finfo(got.dtype).eps)
    error = np.abs(got.astype(np.float64) - exact)
    allowed = 4 * eps * (1 + terms**0.5) * magnitude + np.finfo(got.dtype).tiny
    worst = float(np.max(error - allowed, initial=-1.0))
    assert not np.isnan(got).any()
    assert worst <= 0, f"off by {float(error.max()):.3e}, allowed {float(allowed.max()):.3e}"
