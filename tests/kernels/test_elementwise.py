"""The compiled activations against the NumPy reference, and that against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn.kernels import reference

from .arrays import Array, Guarded, family, levels, random

ENGINES = [pytest.param(family(level, "elementwise"), id=level) for level in levels()]
SIZES = [0, 1, 7, 8, 33, 1000, 8191, 8192, 8193, 300_001]
# (arguments before num_threads) -> (forward, backward, does backward take y rather than x)
NAMES = {
    "relu": (True, ()),
    "leaky_relu": (False, (0.1,)),
    "sigmoid": (True, ()),
    "tanh": (True, ()),
}
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30, -1e-30, 88.0, -88.0, 1e4, -1e4, 0.625, -0.625]


def run(engine: ModuleType, name: str, x: Array, dy: Array, threads: int) -> tuple[Array, Array]:
    takes_y, options = NAMES[name]
    forward: Callable[..., None] = getattr(engine, f"{name}_forward")
    backward: Callable[..., None] = getattr(engine, f"{name}_backward")
    y, dx = Guarded(x.shape, x.dtype), Guarded(x.shape, x.dtype)
    with np.errstate(all="ignore"):
        forward(x, y.array, *options, threads)
        backward(dy, y.check() if takes_y else x, dx.array, *options, threads)
    return y.check(), dx.check()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", SIZES)
def test_parity(engine: ModuleType, dtype: Any, name: str, size: int) -> None:
    rng = np.random.default_rng(size)
    x, dy = random(rng, (size,), dtype), random(rng, (size,), dtype)
    y, dx = run(engine, name, x, dy, 2)
    expected, expected_dx = run(reference, name, x, dy, 1)
    if "relu" in name:
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(dx, expected_dx)
        return
    rtol = 1e-6 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(y, expected, rtol=rtol)
    np.testing.assert_allclose(dx, expected_dx, rtol=50 * rtol, atol=rtol)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_special_numbers(engine: ModuleType, dtype: Any, name: str) -> None:
    # repeated, so that they come by in vector code and in the remainder
    x = np.tile(np.array(SPECIAL, dtype), 5)
    dy = np.ones_like(x)
    y, dx = run(engine, name, x, dy, 1)
    expected, expected_dx = run(reference, name, x, dy, 1)
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-37)
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_single_precision_is_exact_to_a_few_units(engine: ModuleType, name: str) -> None:
    x = np.linspace(-20, 20, 200_001, dtype=np.float32)
    y, _ = run(engine, name, x, x, 1)
    exact = np.tanh(x.astype("d")) if name == "tanh" else 1 / (1 + np.exp(-x.astype("d")))
    spacing = np.spacing(np.abs(exact).astype(np.float32)).astype("d")
    assert (np.abs(y - exact) / spacing).max() < 4


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NAMES)
def test_threads_change_nothing(engine: ModuleType, name: str) -> None:
    rng = np.random.default_rng(0)
    x, dy = random(rng, (500_003,), np.float32), random(rng, (500_003,), np.float32)
    first = run(engine, name, x, dy, 1)
    for threads in (2, 3, 7):
        for mine, theirs in zip(first, run(engine, name, x, dy, threads), strict=True):
            np.testing.assert_array_equal(mine, theirs)


@given(st.lists(st.floats(width=32, allow_nan=True), min_size=1, max_size=40))
def test_reference_against_pytorch(values: list[float]) -> None:
    torch = pytest.importorskip("torch")
    x = np.array(values)
    functions = {
        "relu": torch.relu,
        "leaky_relu": lambda t: torch.nn.functional.leaky_relu(t, 0.1),
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
    }
    for name, function in functions.items():
        y, dx = run(reference, name, x, np.ones_like(x), 1)
        tx = torch.from_numpy(x.copy()).requires_grad_()
        ty = function(tx)
        ty.sum().backward()
        np.testing.assert_allclose(y, ty.detach(), rtol=1e-12, atol=1e-300)
        finite = np.isfinite(x)
        np.testing.assert_allclose(dx[finite], tx.grad.numpy()[finite], rtol=1e-12, atol=1e-15)
