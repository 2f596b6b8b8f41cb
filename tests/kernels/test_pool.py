"""The compiled pooling against the NumPy reference, and against PyTorch where it is there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn.kernels import reference
from minicnn.layers.maxpool2d import pooled_size

from .arrays import Array, Guarded, assert_close, family, levels, random

Pair = tuple[int, int]
THREADS = (1, 2, 3, 7)
ENGINES = [pytest.param(family(level, "pool"), id=level) for level in levels()]


@dataclass(frozen=True)
class Case:
    """One pooling."""

    planes: Pair
    size: Pair
    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    ceil_mode: bool = False

    @property
    def x_shape(self) -> tuple[int, ...]:
        return (*self.planes, *self.size)

    @property
    def y_shape(self) -> tuple[int, ...]:
        sizes = (
            pooled_size(n, k, s, p, d, self.ceil_mode)
            for n, k, s, p, d in zip(
                self.size, self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )
        return (*self.planes, *sizes)

    @property
    def possible(self) -> bool:
        return min(self.y_shape[2:]) > 0

    @property
    def arguments(self) -> tuple[Pair, Pair, Pair, Pair]:
        return self.kernel, self.stride, self.padding, self.dilation


@st.composite
def cases(draw: st.DrawFn, dilated: bool = True) -> Case:
    def two(low: int, high: int) -> Pair:
        return draw(st.tuples(st.integers(low, high), st.integers(low, high)))

    kernel = two(1, 4)
    return Case(
        planes=two(0, 3),
        size=(draw(st.integers(1, 12)), draw(st.integers(1, 40))),
        kernel=kernel,
        stride=two(1, 4),
        padding=(draw(st.integers(0, kernel[0] // 2)), draw(st.integers(0, kernel[1] // 2))),
        dilation=two(1, 3) if dilated else (1, 1),
        ceil_mode=draw(st.booleans()),
    )


CASES = [
    Case((2, 3), (6, 6), (2, 2), (2, 2)),
    Case((2, 3), (7, 9), (2, 2), (2, 2)),
    Case((1, 1), (28, 26), (2, 2), (2, 2)),
    Case((1, 2), (5, 300), (2, 2), (2, 2)),
    Case((2, 2), (7, 7), (3, 3), (2, 2)),
    Case((2, 2), (7, 7), (2, 2), (2, 2), ceil_mode=True),
    Case((2, 2), (32, 33), (3, 3), (2, 2), (1, 1)),
    Case((1, 2), (9, 200), (3, 3), (1, 1), (1, 1)),
    Case((1, 2), (11, 150), (2, 3), (3, 2), (1, 0), (2, 3)),
    Case((3, 1), (1, 1), (1, 1), (1, 1)),
    Case((0, 3), (6, 6), (2, 2), (2, 2)),
    Case((2, 0), (6, 6), (2, 2), (2, 2)),
]


def data(case: Case, dtype: Any, kind: str = "normal") -> Array:
    rng = np.random.default_rng(0)
    x = random(rng, case.x_shape, dtype).copy()
    if kind == "ties":
        x = rng.integers(0, 3, case.x_shape).astype(dtype)
    elif kind == "negative":
        x = -np.abs(x) - 1
    elif kind == "special" and x.size:
        places = rng.random(case.x_shape)
        x[places < 0.1] = np.nan
        x[(places > 0.1) & (places < 0.3)] = -np.inf
        x[places > 0.9] = np.inf
    elif kind == "infinite":
        x[...] = -np.inf
    x.setflags(write=False)
    return x


def forward(engine: ModuleType, case: Case, x: Array, threads: int = 1) -> tuple[Array, Array]:
    y = Guarded(case.y_shape, x.dtype)
    mask = np.full(case.y_shape, -7, np.int32)
    engine.maxpool2d_forward(x, y.array, mask, *case.arguments, threads)
    alone = np.full(case.y_shape, np.nan, x.dtype)
    engine.maxpool2d_forward(x, alone, None, *case.arguments, threads)
    np.testing.assert_array_equal(alone, y.check())
    return y.check(), mask


def check_maximum(engine: ModuleType, case: Case, x: Array) -> None:
    y, mask = forward(engine, case, x)
    expected, expected_mask = forward(reference, case, x)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(mask, expected_mask)
    if y.size:
        flat = x.reshape(*case.planes, -1)
        places = np.maximum(mask, 0).reshape(*case.planes, -1)
        picked = np.take_along_axis(flat, places, axis=2).reshape(y.shape)
        np.testing.assert_array_equal(np.where(mask < 0, -np.inf, picked), y)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["normal", "ties", "negative", "special", "infinite"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_maximum_and_mask(engine: ModuleType, dtype: Any, kind: str, case: Case) -> None:
    check_maximum(engine, case, data(case, dtype, kind))


@pytest.mark.parametrize("engine", ENGINES)
@given(case=cases(), kind=st.sampled_from(["normal", "ties", "special"]))
def test_maximum_of_any_geometry(engine: ModuleType, case: Case, kind: str) -> None:
    if case.possible:
        check_maximum(engine, case, data(case, np.float32, kind))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_of_the_maximum(engine: ModuleType, dtype: Any, case: Case, relu: bool) -> None:
    x = data(case, dtype, "ties")
    y, mask = forward(reference, case, x)
    mask.setflags(write=False)
    dy = random(np.random.default_rng(1), case.y_shape, dtype)
    dx, expected = Guarded(case.x_shape, dtype), np.full(case.x_shape, np.nan)
    engine.maxpool2d_backward(dy, y if relu else None, mask, dx.array, 2)
    if relu:
        dy = np.where(y <= 0, 0, dy)
    reference.maxpool2d_backward(dy.astype(np.float64), None, mask, expected, 1)
    terms = case.kernel[0] * case.kernel[1]
    magnitude = np.full(case.x_shape, np.nan)
    reference.maxpool2d_backward(np.abs(dy).astype(np.float64), None, mask, magnitude, 1)
    assert_close(dx.check(), expected, magnitude, terms)
    np.testing.assert_allclose(dx.array.sum(), dy.sum(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("include", [True, False])
@given(case=cases(dilated=False))
def test_average_of_any_geometry(engine: ModuleType, include: bool, case: Case) -> None:
    if not case.possible:
        return
    arguments = (case.kernel, case.stride, case.padding, include)
    for dtype in (np.float32, np.float64):
        x = data(case, dtype)
        y, expected, magnitude = (np.full(case.y_shape, np.nan, d) for d in (dtype, "d", "d"))
        engine.avgpool2d_forward(x, y, *arguments, 2)
        reference.avgpool2d_forward(x.astype("d"), expected, *arguments, 1)
        reference.avgpool2d_forward(np.abs(x).astype("d"), magnitude, *arguments, 1)
        assert_close(y, expected, magnitude, 16)
        dy = random(np.random.default_rng(1), case.y_shape, dtype)
        dx, expected, magnitude = (np.full(case.x_shape, np.nan, d) for d in (dtype, "d", "d"))
        engine.avgpool2d_backward(dy, dx, *arguments, 2)
        reference.avgpool2d_backward(dy.astype("d"), expected, *arguments, 1)
        reference.avgpool2d_backward(np.abs(dy).astype("d"), magnitude, *arguments, 1)
        assert_close(dx, expected, magnitude, 16)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (1, 1, 1, 1), (0, 3, 2, 2), (3, 2, 70, 71)])
def test_global_average(engine: ModuleType, dtype: Any, shape: tuple[int, ...]) -> None:
    x = random(np.random.default_rng(0), shape, dtype)
    y = Guarded((*shape[:2], 1, 1), dtype)
    engine.global_avgpool2d_forward(x, y.array, 2)
    exact = x.astype("d").mean(axis=(2, 3), keepdims=True) if x.size else np.zeros(y.array.shape)
    np.testing.assert_allclose(y.check(), exact, rtol=1e-5, atol=1e-6)
    dx, expected = Guarded(shape, dtype), np.empty(shape, dtype)
    dy = random(np.random.default_rng(1), (*shape[:2], 1, 1), dtype)
    engine.global_avgpool2d_backward(dy, dx.array, 2)
    reference.global_avgpool2d_backward(dy, expected, 1)
    np.testing.assert_allclose(dx.check(), expected, rtol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_change_nothing(engine: ModuleType) -> None:
    case = Case((9, 7), (33, 31), (3, 3), (2, 2), (1, 1))
    x = data(case, np.float32)
    results = []
    for threads in THREADS:
        y, mask = forward(engine, case, x, threads)
        dx, ay, adx = np.empty_like(x), np.empty_like(y), np.empty_like(x)
        engine.maxpool2d_backward(y, None, mask, dx, threads)
        engine.avgpool2d_forward(x, ay, case.kernel, case.stride, case.padding, True, threads)
        engine.avgpool2d_backward(y, adx, case.kernel, case.stride, case.padding, True, threads)
        gy = np.empty((*case.planes, 1, 1), np.float32)
        engine.global_avgpool2d_forward(x, gy, threads)
        results.append((y, mask, dx, ay, adx, gy))
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("engine", ENGINES)
def test_none_and_wrong_dtypes_are_refused(engine: ModuleType) -> None:
    x, y = np.zeros((1, 1, 4, 4), np.float32), np.zeros((1, 1, 2, 2), np.float32)
    mask = np.zeros((1, 1, 2, 2), np.int32)
    arguments = ((2, 2), (2, 2), (0, 0), (1, 1), 1)
    for bad in (None, x.astype(np.float64), x[0], x.transpose(0, 1, 3, 2)[:, :, ::2]):
        with pytest.raises((TypeError, ValueError)):
            engine.maxpool2d_forward(bad, y, mask, *arguments)
    with pytest.raises((TypeError, ValueError)):
        engine.maxpool2d_forward(x, y, mask.astype(np.int64), *arguments)


class TestPyTorch:
    """The reference itself, against an implementation that is not ours."""

    @given(case=cases(), kind=st.sampled_from(["normal", "ties", "special"]))
    def test_maximum(self, case: Case, kind: str) -> None:
        torch = pytest.importorskip("torch")
        case = replace(case, planes=(2, 2))
        if not case.possible:
            return
        x = data(case, np.float64, kind)
        y, mask = forward(reference, case, x)
        tx = torch.from_numpy(x.copy()).requires_grad_()
        k, s, p, d = case.arguments
        ty, tmask = torch.nn.functional.max_pool2d(
            tx, k, s, p, d, ceil_mode=case.ceil_mode, return_indices=True
        )
        np.testing.assert_array_equal(y, ty.detach())
        if (mask < 0).any():
            return  # PyTorch's index points outside the plane there
        np.testing.assert_array_equal(mask, tmask)
        dy = random(np.random.default_rng(1), case.y_shape, np.float64)
        ty.backward(torch.from_numpy(dy.copy()))
        dx = np.empty_like(x)
        reference.maxpool2d_backward(dy, None, mask, dx, 1)
        np.testing.assert_allclose(dx, tx.grad, rtol=1e-12, atol=1e-14)

    @given(case=cases(dilated=False), include=st.booleans())
    def test_average(self, case: Case, include: bool) -> None:
        torch = pytest.importorskip("torch")
        case = replace(case, planes=(2, 2))
        if not case.possible:
            return
        x = data(case, np.float64)
        tx = torch.from_numpy(x.copy()).requires_grad_()
        ty = torch.nn.functional.avg_pool2d(
            tx,
            case.kernel,
            case.stride,
            case.padding,
            ceil_mode=case.ceil_mode,
            count_include_pad=include,
        )
        arguments = (case.kernel, case.stride, case.padding, include, 1)
        y, dx = np.empty(case.y_shape), np.empty_like(x)
        reference.avgpool2d_forward(x, y, *arguments)
        np.testing.assert_allclose(y, ty.detach(), rtol=1e-12, atol=1e-14)
        dy = random(np.random.default_rng(1), case.y_shape, np.float64)
        ty.backward(torch.from_numpy(dy.copy()))
        reference.avgpool2d_backward(dy, dx, *arguments)
        np.testing.assert_allclose(dx, tx.grad, rtol=1e-12, atol=1e-14)
