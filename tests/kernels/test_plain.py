"""The textbook loops against the NumPy reference, and what the two peaks count."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn.kernels import _choice, reference

from .arrays import Array, Guarded, assert_close, family, levels, random

LEVELS = levels()
ENGINES = [pytest.param(family(level, "plain"), id=level) for level in LEVELS]
DTYPES = [np.float32, np.float64]

# batch, channels, outputs, (height, width) of the picture, (height, width) of the window, stride
CONVOLUTIONS = {
    "usual": (2, 3, 4, (8, 9), (3, 3), 1),
    "odd sizes": (3, 5, 7, (11, 13), (3, 5), 1),
    "strided": (2, 3, 4, (10, 9), (3, 2), 2),
    "stride larger than the window": (2, 3, 4, (11, 9), (2, 2), 3),
    "1x1": (2, 6, 5, (4, 3), (1, 1), 1),
    "one pixel": (1, 1, 1, (3, 3), (3, 3), 1),
    "window larger than the picture": (2, 3, 4, (2, 9), (3, 3), 1),
    "empty batch": (0, 3, 4, (8, 9), (3, 3), 1),
}

# batch, channels, (height, width) of the picture, side of the window, stride
POOLINGS = {
    "usual": (2, 3, (6, 8), 2, 2),
    "odd sizes": (3, 2, (7, 9), 2, 2),
    "overlapping": (2, 3, (9, 11), 3, 2),
    "apart": (2, 3, (9, 11), 2, 3),
    "1x1": (2, 3, (4, 5), 1, 1),
    "one window": (1, 1, (3, 3), 3, 3),
    "window larger than the picture": (2, 3, (2, 5), 3, 1),
    "empty batch": (0, 3, (6, 6), 2, 2),
    "no channels": (2, 0, (6, 6), 2, 2),
}


def outputs(size: tuple[int, int], window: tuple[int, int], stride: int) -> tuple[int, int]:
    """How many windows there are, down and across."""
    down, across = (max(0, (n - k) // stride + 1) for n, k in zip(size, window, strict=True))
    return down, across


def check_convolution(engine: ModuleType, case: Any, dtype: Any) -> None:
    B, C, OC, size, window, stride = case
    rng = np.random.default_rng(0)
    x, weight = random(rng, (B, C, *size), dtype), random(rng, (OC, C, *window), dtype)
    bias = random(rng, (OC,), dtype)
    y = Guarded((B, OC, *outputs(size, window, stride)), dtype)
    engine.conv2d_plain(x, weight, bias, y.array, stride)
    arguments = ((stride, stride), (0, 0), (1, 1), 1, False, False, 1)
    exact, magnitude = np.full(y.array.shape, np.nan), np.full(y.array.shape, np.nan)
    if exact.size:
        x, weight, bias = (a.astype(np.float64) for a in (x, weight, bias))
        reference.conv2d_forward(x, weight, bias, exact, *arguments)
        reference.conv2d_forward(np.abs(x), np.abs(weight), np.abs(bias), magnitude, *arguments)
    assert_close(y.check(), exact, magnitude, C * window[0] * window[1])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution(engine: ModuleType, dtype: Any, name: str) -> None:
    check_convolution(engine, CONVOLUTIONS[name], dtype)


@pytest.mark.parametrize("engine", ENGINES)
@given(
    planes=st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(1, 5)),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    window=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 3),
    dtype=st.sampled_from(DTYPES),
)
def test_convolution_of_any_geometry(
    engine: ModuleType, planes: Any, size: Any, window: Any, stride: int, dtype: Any
) -> None:
    check_convolution(engine, (*planes, size, window, stride), dtype)


def pictures(shape: tuple[int, ...], dtype: Any, kind: str) -> Array:
    """Normal numbers, or numbers of which many are equal, or NaN and infinities among them."""
    rng = np.random.default_rng(0)
    x = random(rng, shape, dtype).copy()
    if kind == "ties":
        x = rng.integers(0, 3, shape).astype(dtype)
    elif kind == "special":
        places = rng.random(shape)
        x[places < 0.3] = np.nan
        x[(places > 0.3) & (places < 0.6)] = -np.inf
        x[places > 0.9] = np.inf
    elif kind == "infinite":
        x[...] = -np.inf
    x.setflags(write=False)
    return x


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["normal", "ties", "special", "infinite"])
@pytest.mark.parametrize("name", POOLINGS)
def test_maximum_and_mask(engine: ModuleType, dtype: Any, kind: str, name: str) -> None:
    B, C, size, window, stride = POOLINGS[name]
    x = pictures((B, C, *size), dtype, kind)
    shape = (B, C, *outputs(size, (window, window), stride))
    y, mask = Guarded(shape, dtype), np.full(shape, -7, np.int32)
    engine.maxpool2d_plain(x, y.array, mask, window, stride)
    expected, places = np.full(shape, np.nan, dtype), np.full(shape, -7, np.int32)
    if expected.size:
        pairs = ((window, window), (stride, stride), (0, 0), (1, 1))
        reference.maxpool2d_forward(x, expected, places, *pairs, 1)
    np.testing.assert_array_equal(y.check(), expected)
    np.testing.assert_array_equal(mask, places)


@pytest.mark.parametrize("engine", ENGINES)
def test_of_several_nans_the_last_one_wins(engine: ModuleType) -> None:
    x = np.array([[[[1, np.nan], [np.nan, 9]]]], np.float32)
    y, mask = np.empty((1, 1, 1, 1), np.float32), np.empty((1, 1, 1, 1), np.int32)
    engine.maxpool2d_plain(x, y, mask, 2, 2)
    assert np.isnan(y).all() and mask.item() == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_none_and_wrong_arrays_are_refused(engine: ModuleType) -> None:
    x, y = np.zeros((1, 2, 4, 4), np.float32), np.zeros((1, 3, 2, 2), np.float32)
    weight, bias = np.zeros((3, 2, 3, 3), np.float32), np.zeros(3, np.float32)
    mask = np.zeros((1, 2, 2, 2), np.int32)
    for bad in (None, x.astype(np.float64), x[0], x[:, :, :, ::2]):
        with pytest.raises((TypeError, ValueError)):
            engine.conv2d_plain(bad, weight, bias, y, 1)
        with pytest.raises((TypeError, ValueError)):
            engine.maxpool2d_plain(bad, y[:, :2].copy(), mask, 2, 2)
    with pytest.raises((TypeError, ValueError)):
        engine.conv2d_plain(x, weight, None, y, 1)
    with pytest.raises((TypeError, ValueError)):
        engine.maxpool2d_plain(x, y[:, :2].copy(), mask.astype(np.int64), 2, 2)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_peak_counts_its_multiply_adds(engine: ModuleType) -> None:
    tile = engine.fma_peak(1)
    assert tile > 1 and tile % 8 == 0  # ROWS x COLS of _tile.pxd: whole vectors
    assert engine.fma_peak(0) == 0
    assert engine.fma_peak(1000) == 1000 * tile


@pytest.mark.parametrize("engine", ENGINES)
def test_the_copies_are_made_and_counted(engine: ModuleType) -> None:
    a = np.arange(100, dtype=np.uint8)
    b = np.zeros_like(a)
    assert engine.copy_peak(a, b, 0) == 0
    assert not b.any()
    assert engine.copy_peak(a, b, 3) == 3 * 4 * 100  # there and back, read and written
    assert (a == np.arange(100)).all() and (b == a).all()
    assert engine.copy_peak(a[:0], b[:0], 3) == 0
    with pytest.raises(ValueError, match="a has 100 bytes and b has 99"):
        engine.copy_peak(a, b[1:], 1)


@pytest.mark.parametrize("level", LEVELS)
def test_no_engine_has_the_textbook_loops(level: str) -> None:
    """They are built with every level, and nothing reaches them by accident."""
    assert not hasattr(_choice._merge(level), "conv2d_plain")
