"""Pictures moved and turned, compiled against the NumPy reference."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn.kernels import reference

from .arrays import Array, Guarded, family, levels, random

ENGINES = [pytest.param(family(level, "warp"), id=level) for level in levels()]
EVERY = [*ENGINES, pytest.param(reference, id="reference")]
SIDE = st.integers(0, 12)


def moved(
    engine: ModuleType, x: Array, places: Array, size: tuple[int, int], threads: int
) -> Array:
    y = Guarded((*x.shape[:2], *size), x.dtype)
    engine.windows(x, places[0], places[1], 0.25, y.array, threads)
    return y.check()


def turned(engine: ModuleType, x: Array, degrees: Array, threads: int) -> Array:
    y, angles = Guarded(x.shape, x.dtype), np.deg2rad(degrees)
    engine.rotate(x, np.cos(angles), np.sin(angles), 0.25, y.array, threads)
    return y.check()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(B=st.integers(0, 3), C=st.integers(1, 3), H=SIDE, W=SIDE, OH=SIDE, OW=SIDE, far=st.data())
def test_windows(
    engine: ModuleType, dtype: Any, B: int, C: int, H: int, W: int, OH: int, OW: int, far: Any
) -> None:
    x = random(np.random.default_rng(0), (B, C, H, W), dtype)
    place = st.lists(st.integers(-20, 20), min_size=B, max_size=B)
    places = np.array([far.draw(place), far.draw(place)], np.int64).reshape(2, B)
    expected = moved(reference, x, places, (OH, OW), 1)
    np.testing.assert_array_equal(moved(engine, x, places, (OH, OW), 2), expected)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(
    B=st.integers(0, 3),
    C=st.integers(1, 3),
    H=st.sampled_from([1, 2, 3, 8, 13]),
    W=st.sampled_from([1, 2, 9, 64, 65, 140]),
    degrees=st.sampled_from([0.0, 90.0, 180.0, -90.0, 1e-9, 10.0, -33.3, 45.0, 721.5]),
)
def test_rotate(
    engine: ModuleType, dtype: Any, B: int, C: int, H: int, W: int, degrees: float
) -> None:
    x = random(np.random.default_rng(0), (B, C, H, W), dtype)
    angles = degrees + np.arange(B) * 7.0
    # A place is known to a few units in the last place of the largest coordinate.
    rounding = 50 * (H + W) * np.finfo(dtype).eps
    expected = turned(reference, x, angles, 1)
    np.testing.assert_allclose(turned(engine, x, angles, 2), expected, atol=rounding)


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_change_nothing(engine: ModuleType) -> None:
    x = random(np.random.default_rng(0), (40, 3, 31, 70), np.float32)
    degrees = np.linspace(-180, 180, 40)
    places = np.arange(80).reshape(2, 40) % 13 - 6
    size = (60, 70)  # copies are cheap: fewer pixels would not be worth seven threads
    one = turned(engine, x, degrees, 1), moved(engine, x, places, size, 1)
    for threads in (2, 3, 7):
        np.testing.assert_array_equal(turned(engine, x, degrees, threads), one[0])
        np.testing.assert_array_equal(moved(engine, x, places, size, threads), one[1])


@pytest.mark.parametrize("engine", EVERY)
def test_a_quarter_turn(engine: ModuleType) -> None:
    """Counter-clockwise: what was on the right comes to the top."""
    x = np.arange(9, dtype=np.float64).reshape(1, 1, 3, 3)
    y = turned(engine, x, np.array([90.0]), 1)
    np.testing.assert_allclose(y[0, 0], np.rot90(x[0, 0]), atol=1e-12)


@pytest.mark.parametrize("engine", EVERY)
def test_outside_is_fill(engine: ModuleType) -> None:
    x = np.ones((1, 1, 9, 9), np.float32)
    y = turned(engine, x, np.array([45.0]), 1)
    assert y[0, 0, 4, 4] == 1
    np.testing.assert_allclose(y[0, 0, [0, 0, -1, -1], [0, -1, 0, -1]], 0.25, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_none_and_wrong_dtypes_are_refused(engine: ModuleType) -> None:
    x, zero = np.zeros((1, 1, 4, 4), np.float32), np.zeros(1)
    y, place = np.empty_like(x), np.zeros(1, np.int64)
    for bad in (None, x.astype(np.float64), x.astype(np.int32), x[0], x[..., ::2]):
        with pytest.raises((TypeError, ValueError)):
            engine.windows(bad, place, place, 0.0, y, 1)
        with pytest.raises((TypeError, ValueError)):
            engine.rotate(bad, zero, zero, 0.0, y, 1)
    with pytest.raises((TypeError, ValueError)):
        engine.windows(x, place.astype(np.int32), place, 0.0, y, 1)
    with pytest.raises((TypeError, ValueError)):
        engine.rotate(x, zero.astype(np.float32), zero, 0.0, y, 1)
