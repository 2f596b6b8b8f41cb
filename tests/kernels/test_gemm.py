"""The compiled matrix product against NumPy's in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn import kernels
from minicnn.kernels import reference

from .arrays import Array, Guarded, assert_close, family, levels, random

THREADS = (1, 2, 3, 7)
BOTH = [False, True]


def operands(
    m: int, n: int, k: int, transpose_a: bool, transpose_b: bool, dtype: Any, seed: int = 0
) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    a = random(rng, (k, m) if transpose_a else (m, k), dtype)
    b = random(rng, (n, k) if transpose_b else (k, n), dtype)
    return a, b


def product(
    engine: Any, a: Array, b: Array, ta: bool, tb: bool, before: Array | None, threads: int = 1
) -> Array:
    """op(a) op(b), added to `before` where that is given."""
    shape = (a.shape[1] if ta else a.shape[0], b.shape[0] if tb else b.shape[1])
    out = Guarded(shape, a.dtype)
    if before is not None:
        out.array[...] = before
    engine.matmul(a, b, out.array, ta, tb, before is not None, threads)
    return out.check()


def check(engine: Any, m: int, n: int, k: int, ta: bool, tb: bool, dtype: Any) -> None:
    a, b = operands(m, n, k, ta, tb, dtype)
    before = random(np.random.default_rng(1), (m, n), dtype)
    a64, b64 = a.astype(np.float64), b.astype(np.float64)
    a64, b64 = (a64.T if ta else a64), (b64.T if tb else b64)
    exact, magnitude = a64 @ b64, np.abs(a64) @ np.abs(b64)
    assert_close(product(engine, a, b, ta, tb, None), exact, magnitude, k + 2)
    added = product(engine, a, b, ta, tb, before)
    assert_close(added, exact + before, magnitude + np.abs(before), k + 3)


sizes = st.one_of(st.integers(1, 40), st.sampled_from((1, 4, 24, 63, 64, 97, 130)))


@settings(max_examples=200)
@given(m=sizes, n=sizes, k=sizes, ta=st.booleans(), tb=st.booleans(), double=st.booleans())
def test_random_products(m: int, n: int, k: int, ta: bool, tb: bool, double: bool) -> None:
    check(kernels.engine, m, n, k, ta, tb, np.float64 if double else np.float32)


@pytest.mark.parametrize("level", levels())
@pytest.mark.parametrize("ta", BOTH)
@pytest.mark.parametrize("tb", BOTH)
@pytest.mark.parametrize(
    ("m", "n", "k"),
    [(1, 10, 400), (64, 10, 400), (10, 400, 64), (64, 84, 120), (3, 4, 4608), (200, 70, 1030)],
)
def test_sizes_of_linear_layers_on_every_level(
    m: int, n: int, k: int, ta: bool, tb: bool, level: str
) -> None:
    for dtype in (np.float32, np.float64):
        check(family(level, "gemm"), m, n, k, ta, tb, dtype)


@pytest.mark.parametrize("ta", BOTH)
@pytest.mark.parametrize("tb", BOTH)
def test_results_are_the_same_bits_for_any_number_of_threads(ta: bool, tb: bool) -> None:
    for dtype in (np.float32, np.float64):
        for m, n, k in ((65, 130, 333), (250, 11, 1100), (10, 400, 640), (1, 640, 2051)):
            a, b = operands(m, n, k, ta, tb, dtype)
            before = random(np.random.default_rng(1), (m, n), dtype)
            first = product(kernels.engine, a, b, ta, tb, before, THREADS[0])
            for threads in THREADS[1:]:
                again = product(kernels.engine, a, b, ta, tb, before, threads)
                assert again.tobytes() == first.tobytes(), (m, n, k, threads)


@pytest.mark.parametrize("ta", BOTH)
@pytest.mark.parametrize("tb", BOTH)
def test_empty_sizes(ta: bool, tb: bool) -> None:
    for m, n, k in ((0, 3, 4), (3, 0, 4), (0, 0, 0), (3, 4, 0)):
        a, b = operands(m, n, k, ta, tb, np.float32)
        assert (product(kernels.engine, a, b, ta, tb, None) == 0).all()
        before = np.ones((m, n), np.float32)
        assert (product(kernels.engine, a, b, ta, tb, before) == before).all()


@pytest.mark.parametrize("ta", BOTH)
@pytest.mark.parametrize("tb", BOTH)
def test_a_nan_stays_in_its_row_or_column(ta: bool, tb: bool) -> None:
    m, n, k = 30, 27, 45
    a, b = (operand.copy() for operand in operands(m, n, k, ta, tb, np.float32))
    (a.T if ta else a)[m - 1, k - 1] = np.nan
    (b.T if tb else b)[k - 1, 5] = np.inf
    exact = product(reference, a, b, ta, tb, None)
    got = product(kernels.engine, a, b, ta, tb, None)
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(exact))
