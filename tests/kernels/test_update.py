"""The compiled steps of optimizers against the NumPy reference."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn.kernels import reference

from .arrays import Array, Guarded, family, levels, random

ENGINES = [pytest.param(family(level, "update"), id=level) for level in levels()]
SIZES = st.sampled_from([0, 1, 7, 33, 1000, 8191, 8192, 8193, 20_000])
DECAY = st.sampled_from([0.0, 0.1])


def arrays(size: int, dtype: Any, count: int) -> list[Array]:
    """A parameter, its gradient (read only), and the optimizer's own, none of them negative."""
    rng = np.random.default_rng(size)
    theta, g = (random(rng, (size,), dtype) for _ in range(2))
    return [theta, g, *(np.abs(random(rng, (size,), dtype)) for _ in range(count))]


def updated(function: Any, given: list[Array | None], *settings: Any) -> list[Array]:
    """What a step leaves in θ and the optimizer's arrays; it must not write behind them."""
    guarded: list[Any] = []
    for k, array in enumerate(given):
        if array is None or k == 1:
            guarded.append(array)
            continue
        guarded.append(Guarded(array.shape, array.dtype))
        guarded[-1].array[...] = array
    function(*(a.array if isinstance(a, Guarded) else a for a in guarded), *settings)
    return [a.check() for a in guarded if isinstance(a, Guarded)]


def compare(mine: list[Array], theirs: list[Array], dtype: Any) -> None:
    rounding = 1e-6 if dtype == np.float32 else 1e-14
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=rounding, atol=rounding)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(size=SIZES, rolling=st.booleans(), nesterov=st.booleans(), decay=DECAY)
def test_sgd(
    engine: ModuleType, dtype: Any, size: int, rolling: bool, nesterov: bool, decay: float
) -> None:
    theta, g, v = arrays(size, dtype, 1)
    settings = 0.1, 0.9, nesterov, decay
    given = [theta, g, v if rolling else None]
    mine = updated(engine.sgd_update, given, *settings, 2)
    compare(mine, updated(reference.sgd_update, given, *settings, 1), dtype)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(
    size=SIZES,
    decay=DECAY,
    decoupled=st.booleans(),
    step=st.sampled_from([1, 2, 50, 100_000]),
    eps=st.sampled_from([1e-8, 0.1]),
)
def test_adam(
    engine: ModuleType,
    dtype: Any,
    size: int,
    decay: float,
    decoupled: bool,
    step: int,
    eps: float,
) -> None:
    settings = 0.1, 0.9, 0.999, eps, decay, decoupled, step
    given: list[Array | None] = [*arrays(size, dtype, 2)]
    mine = updated(engine.adam_update, given, *settings, 2)
    compare(mine, updated(reference.adam_update, given, *settings, 1), dtype)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(size=SIZES, scale=st.sampled_from([1e-30, 1.0, 1e30]))
def test_sum_of_squares(engine: ModuleType, dtype: Any, size: int, scale: float) -> None:
    g = (scale * random(np.random.default_rng(size), (size,), dtype)).astype(dtype)
    g.setflags(write=False)
    exact = math.fsum(float(value) ** 2 for value in g)
    assert engine.sum_of_squares(g, 2) == pytest.approx(exact, rel=1e-13, abs=0)
    assert reference.sum_of_squares(g, 1) == pytest.approx(exact, rel=1e-13, abs=0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_change_nothing(engine: ModuleType, dtype: Any) -> None:
    given: list[Array | None] = [*arrays(500_001, dtype, 2)]
    g = given[1]
    for threads in (2, 3, 7):
        assert engine.sum_of_squares(g, threads) == engine.sum_of_squares(g, 1)
        for function, count, settings in (
            (engine.sgd_update, 3, (0.1, 0.9, True, 0.1)),
            (engine.adam_update, 4, (0.1, 0.9, 0.999, 1e-8, 0.1, False, 3)),
        ):
            one = updated(function, given[:count], *settings, 1)
            many = updated(function, given[:count], *settings, threads)
            for mine, theirs in zip(one, many, strict=True):
                np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("engine", [*ENGINES, pytest.param(reference, id="reference")])
def test_what_is_not_finite_spreads_without_warnings(engine: ModuleType) -> None:
    theta, g = np.ones(3, np.float32), np.array([np.nan, np.inf, 1e38], np.float32)
    m, v = np.zeros(3, np.float32), np.zeros(3, np.float32)
    engine.adam_update(theta.copy(), g, m.copy(), v.copy(), 0.1, 0.9, 0.99, 0.0, 0.0, False, 1, 1)
    engine.sgd_update(theta, g, v, 0.1, 0.9, False, 0.0, 1)
    assert np.isnan(theta[0]) and theta[1] == -np.inf and np.isfinite(theta[2])
