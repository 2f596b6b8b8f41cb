"""Batch normalisation and softmax cross entropy, compiled against NumPy and PyTorch."""

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

ENGINES = [pytest.param(family(level, "norm"), id=level) for level in levels()]
EVERY = [*ENGINES, pytest.param(reference, id="reference")]
SHAPES = st.tuples(st.integers(0, 4), st.integers(1, 5), st.integers(1, 9), st.integers(1, 30))


def tolerance(dtype: Any) -> dict[str, float]:
    return {"rtol": 2e-5, "atol": 2e-5} if dtype == np.float32 else {"rtol": 1e-10, "atol": 1e-12}


def run(engine: ModuleType, x: Array, dy: Array, threads: int, relu: bool = False) -> list[Array]:
    """All four kernels, one after the other, as a training step calls them."""
    C, dtype = x.shape[1], x.dtype
    gamma = random(np.random.default_rng(5), (C,), dtype)
    mean, var, dgamma, dbeta = (Guarded((C,), dtype) for _ in range(4))
    engine.batchnorm2d_statistics(x, mean.array, var.array, threads)
    mu, sigma2 = mean.check(), var.check()
    if not x.size:
        mu[...], sigma2[...] = 0, 1
    inv_std = 1 / np.sqrt(sigma2 + dtype.type(1e-5))
    numbers = gamma * inv_std, gamma / 8 - mu * gamma * inv_std, mu, inv_std
    y, dx = Guarded(x.shape, dtype), Guarded(x.shape, dtype)
    engine.batchnorm2d_normalize(x, *numbers[:2], y.array, relu, threads)
    engine.batchnorm2d_backward_reduce(dy, x, *numbers, dgamma.array, dbeta.array, relu, threads)
    dg, db = dgamma.check(), dbeta.check()
    engine.batchnorm2d_backward_input(dy, x, *numbers, dg, db, dx.array, relu, threads)
    return [mu, sigma2, y.check(), dg, db, dx.check()]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(shape=SHAPES, relu=st.booleans())
def test_batchnorm(engine: ModuleType, dtype: Any, shape: tuple[int, ...], relu: bool) -> None:
    rng = np.random.default_rng(0)
    x, dy = random(rng, shape, dtype), random(rng, shape, dtype)
    if x.size // shape[1] == 1:
        return  # one value has no variance; 1/√(0 + ε) magnifies rounding 300 times
    got = run(engine, x, dy, 2, relu)
    expected = run(reference, x, dy, 1, relu)
    if relu and not np.array_equal(got[2] > 0, expected[2] > 0):
        return  # a pixel whose sign is rounding's: its gradient passes on one side alone
    for mine, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, **tolerance(dtype))


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_change_nothing(engine: ModuleType) -> None:
    rng = np.random.default_rng(0)
    x, dy = (random(rng, (8, 7, 50, 51), np.float32) for _ in range(2))
    for relu in (False, True):
        first = run(engine, x, dy, 1, relu)
        for threads in (2, 3, 7):
            for mine, theirs in zip(first, run(engine, x, dy, threads, relu), strict=True):
                np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("engine", EVERY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_relu_behind_is_the_one_of_the_results(engine: ModuleType, dtype: Any) -> None:
    """With relu, all four give the bits that they give around a ReLU of its own."""
    rng = np.random.default_rng(0)
    x, dy = (random(rng, (4, 3, 7, 9), dtype) for _ in range(2))
    y = run(engine, x, dy, 1)[2]
    np.testing.assert_array_equal(run(engine, x, dy, 1, True)[2], np.maximum(y, 0))
    dy = np.where(y > 0, dy, 0).astype(dtype)
    apart = run(engine, x, dy, 1)[3:]
    for mine, theirs in zip(run(engine, x, dy, 1, True)[3:], apart, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_an_outlying_sample_costs_no_digits() -> None:
    """The first numbers of a plane, whose mean is subtracted, may be unlike all others."""
    for engine in (family(level, "norm") for level in levels()):
        x = random(np.random.default_rng(0), (4, 2, 60, 60), np.float32) + np.float32(1)
        x[1, :, :5] = 1e4
        x[2] = -3e3
        mean, var = np.empty(2, np.float32), np.empty(2, np.float32)
        engine.batchnorm2d_statistics(x, mean, var, 1)
        exact = x.astype(np.float64)
        np.testing.assert_allclose(mean, exact.mean(axis=(0, 2, 3)), rtol=1e-6)
        np.testing.assert_allclose(var, exact.var(axis=(0, 2, 3)), rtol=1e-6)


@pytest.mark.parametrize("engine", EVERY)
@pytest.mark.parametrize("shift", [0, 1e3, -1e5])
def test_a_large_mean_costs_no_digits(engine: ModuleType, shift: float) -> None:
    x = random(np.random.default_rng(0), (16, 2, 40, 40), np.float32) + np.float32(shift)
    mean, var = np.empty(2, np.float32), np.empty(2, np.float32)
    engine.batchnorm2d_statistics(x, mean, var, 1)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(axis=(0, 2, 3)), rtol=1.2e-7, atol=1e-7)
    # the mean itself is rounded to float32, which adds the square of that rounding
    np.testing.assert_allclose(var, exact.var(axis=(0, 2, 3)), rtol=1e-4 if shift else 1e-6)


@pytest.mark.parametrize("engine", EVERY)
def test_nan_stays_in_its_channel(engine: ModuleType) -> None:
    x = random(np.random.default_rng(0), (2, 3, 9, 9), np.float32).copy()
    x[1, 1, 4, 4] = np.nan
    mean, var = np.empty(3, np.float32), np.empty(3, np.float32)
    engine.batchnorm2d_statistics(x, mean, var, 1)
    assert np.isnan(mean).tolist() == np.isnan(var).tolist() == [False, True, False]


def cross_entropy(
    engine: ModuleType, z: Array, labels: Array, smoothing: float = 0.0
) -> tuple[float, Array]:
    dz = Guarded(z.shape, z.dtype)
    loss = engine.softmax_cross_entropy(z, labels, dz.array, smoothing)
    return loss, dz.check()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(
    N=st.integers(0, 9),
    K=st.integers(1, 70),
    scale=st.sampled_from([1.0, 30.0, 1e4]),
    smoothing=st.sampled_from([0.0, 0.1, 1.0]),
)
def test_cross_entropy(
    engine: ModuleType, dtype: Any, N: int, K: int, scale: float, smoothing: float
) -> None:
    rng = np.random.default_rng(N * 100 + K)
    z = (rng.standard_normal((N, K)) * scale).astype(dtype)
    labels = rng.integers(0, K, N)
    z.setflags(write=False)
    labels.setflags(write=False)
    loss, dz = cross_entropy(engine, z, labels, smoothing)
    expected, exact = cross_entropy(reference, z.astype(np.float64), labels, smoothing)
    rounding = 1e-5 if dtype == np.float32 else 1e-12
    assert loss == pytest.approx(expected, rel=rounding, abs=rounding)
    np.testing.assert_allclose(dz, exact, rtol=10 * rounding, atol=rounding)


@pytest.mark.parametrize("engine", EVERY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_confident_logits_give_finite_losses(engine: ModuleType, dtype: Any) -> None:
    """0 · log 0 made this NaN in the series."""
    label = np.array([1])
    for top in (60.0, 1e4, 3e38):
        z = np.array([[top, 0, 0]], dtype)
        loss, dz = cross_entropy(engine, z, label)
        assert loss == pytest.approx(top)
        np.testing.assert_allclose(dz, [[1, -1, 0]], atol=1e-7)
        loss, dz = cross_entropy(engine, z, np.array([0]))
        assert loss == pytest.approx(0, abs=1e-9)
    uniform, _ = cross_entropy(engine, np.zeros((4, 10), dtype), np.arange(4))
    assert uniform == pytest.approx(math.log(10))


@pytest.mark.parametrize("engine", EVERY)
def test_minus_infinity_is_a_class_that_cannot_be(engine: ModuleType) -> None:
    z = np.array([[0.0, -np.inf, 0.0]], np.float32)
    loss, dz = cross_entropy(engine, z, np.array([0]))
    assert loss == pytest.approx(math.log(2))
    np.testing.assert_allclose(dz, [[-0.5, 0, 0.5]])
    assert cross_entropy(engine, z, np.array([1]))[0] == math.inf


@pytest.mark.parametrize("engine", EVERY)
def test_with_full_smoothing_the_label_has_no_say(engine: ModuleType) -> None:
    z = np.array([[-np.inf, 1.0, 2.0]])
    loss, _ = cross_entropy(engine, z, np.array([0]), smoothing=1.0)
    assert loss == np.inf  # the class that cannot be is asked for with weight 1/3
    loss, _ = cross_entropy(engine, np.array([[0.0, 0.0]]), np.array([0]), smoothing=1.0)
    assert loss == pytest.approx(np.log(2))


@pytest.mark.parametrize("engine", EVERY)
def test_nan_logits_give_a_nan_loss(engine: ModuleType) -> None:
    for place in range(3):
        z = np.zeros((2, 3), np.float32)
        z[1, place] = np.nan
        assert math.isnan(cross_entropy(engine, z, np.array([0, 0]))[0])


@given(N=st.integers(1, 6), K=st.integers(1, 12), smoothing=st.sampled_from([0.0, 0.2, 1.0]))
def test_reference_cross_entropy_against_pytorch(N: int, K: int, smoothing: float) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    z, labels = rng.standard_normal((N, K)), rng.integers(0, K, N)
    loss, dz = cross_entropy(reference, z, labels, smoothing)
    tz = torch.from_numpy(z).requires_grad_()
    theirs = torch.nn.functional.cross_entropy(
        tz, torch.from_numpy(labels), label_smoothing=smoothing
    )
    theirs.backward()
    assert loss == pytest.approx(theirs.item(), rel=1e-12, abs=1e-14)
    np.testing.assert_allclose(dz, tz.grad, rtol=1e-10, atol=1e-14)


def test_reference_batchnorm_against_pytorch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, dy = random(rng, (3, 4, 5, 6), np.float64), random(rng, (3, 4, 5, 6), np.float64)
    gamma = random(np.random.default_rng(5), (4,), np.float64)
    mean, var, _, dgamma, dbeta, dx = run(reference, x, dy, 1)
    tx = torch.from_numpy(x.copy()).requires_grad_()
    tg = torch.from_numpy(gamma.copy()).requires_grad_()
    tb = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    ty = torch.nn.functional.batch_norm(tx, None, None, tg, tb, True)
    ty.backward(torch.from_numpy(dy.copy()))
    np.testing.assert_allclose(mean, x.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(var, x.var(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(dgamma, tg.grad, rtol=1e-10)
    np.testing.assert_allclose(dbeta, tb.grad, rtol=1e-10)
    np.testing.assert_allclose(dx, tx.grad, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("engine", ENGINES)
def test_exp_ends_where_single_precision_ends(engine: ModuleType) -> None:
    z = np.array([[0.0, -87.0, -87.5, -200.0]], np.float32)
    dz = np.empty_like(z)
    engine.softmax_cross_entropy(z, np.array([0]), dz, 0.0)
    assert dz[0, 1] > 0
    np.testing.assert_array_equal(dz[0, 2:], 0)
