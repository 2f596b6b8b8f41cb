from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import Parameter
from minicnn.optim import clip_grad_norm


class TestClipGradNorm:
    @given(
        seed=st.integers(0, 2**32),
        max_norm=st.floats(1e-3, 1e3),
        size=st.floats(1e-6, 1e6),
        dtype=st.sampled_from([np.float32, np.float64]),
    )
    def test_shortens_and_keeps_the_direction(
        self, seed: int, max_norm: float, size: float, dtype: Any
    ) -> None:
        rng = np.random.default_rng(seed)
        params = [Parameter(np.zeros(shape, dtype)) for shape in [(3, 4), (5,)]]
        for parameter in params:
            parameter.grad = size * rng.standard_normal(parameter.shape)
        before = np.concatenate([p.grad.ravel() for p in params if p.grad is not None])
        norm = clip_grad_norm(iter(params), max_norm)
        after = np.concatenate([p.grad.ravel() for p in params if p.grad is not None])
        assert norm == pytest.approx(np.linalg.norm(before.astype(np.float64)), rel=1e-12)
        assert np.linalg.norm(after) <= min(norm, max_norm) * (1 + 1e-6)
        factor = min(1, max_norm / (norm + 1e-6))
        np.testing.assert_allclose(
            after, before * factor, rtol=1e-5 if dtype == np.float32 else 1e-13
        )

    def test_squares_of_float32_do_not_overflow(self) -> None:
        theta = Parameter(np.zeros(4, np.float32))
        theta.grad = np.full(4, 1e30, np.float32)
        assert clip_grad_norm(theta, 1.0) == pytest.approx(2e30)
        np.testing.assert_allclose(theta.grad, 0.5, rtol=1e-6)

    def test_counts_every_piece_of_a_long_gradient(self) -> None:
        theta = Parameter(np.zeros(100_003, np.float32))
        theta.grad = np.ones(100_003, np.float32)
        assert clip_grad_norm([theta], math.inf) == pytest.approx(math.sqrt(100_003), rel=1e-14)

    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
    def test_a_norm_that_is_not_finite_changes_nothing(self, bad: float) -> None:
        params = [Parameter(np.zeros(2)), Parameter(np.zeros(2))]
        params[0].grad, params[1].grad = [100.0, 200.0], [bad, 1.0]
        assert not math.isfinite(clip_grad_norm(params, 1.0))
        np.testing.assert_array_equal(params[0].grad, [100, 200])
        np.testing.assert_array_equal(params[1].grad, [bad, 1])

    def test_no_gradient_is_no_length(self) -> None:
        assert clip_grad_norm([Parameter(np.ones(3))], 1.0) == 0
        assert clip_grad_norm([], 1.0) == 0

    @pytest.mark.parametrize("max_norm", [0.5, 3.0, 1e9, math.inf])
    def test_is_pytorchs(self, max_norm: float) -> None:
        torch = pytest.importorskip("torch")
        rng = np.random.default_rng(0)
        params = [Parameter(np.zeros(shape)) for shape in [(3, 2, 3, 3), (5,), (), (7, 4)]]
        for parameter in params[1:]:
            parameter.grad = rng.standard_normal(parameter.shape)
        tensors = []
        for parameter in params:
            tensors.append(torch.zeros(parameter.shape, dtype=torch.float64, requires_grad=True))
            tensors[-1].grad = None if parameter.grad is None else torch.tensor(parameter.grad)
        norm = clip_grad_norm(params, max_norm)
        assert norm == pytest.approx(float(torch.nn.utils.clip_grad_norm_(tensors, max_norm)))
        for parameter, tensor in zip(params, tensors, strict=True):
            if parameter.grad is None:
                assert tensor.grad is None
            else:
                np.testing.assert_allclose(parameter.grad, tensor.grad, rtol=1e-13)


ONE = [Parameter(np.ones(2))]
clip: Any = clip_grad_norm


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: clip(ONE, 0.0), ValueError, "max_norm must be .* above 0"),
        (lambda: clip(ONE, math.nan), ValueError, "max_norm must be"),
        (lambda: clip(ONE, "1"), TypeError, "max_norm must be"),
        (lambda: clip(5, 1.0), TypeError, "params must be Parameters"),
        (lambda: clip([np.ones(2)], 1.0), TypeError, "params must hold Parameters"),
    ],
)
def test_bad_arguments_are_named(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
