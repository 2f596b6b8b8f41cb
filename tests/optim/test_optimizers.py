from __future__ import annotations

import copy
import json
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn import Parameter, kernels, optim
from minicnn.errors import CheckpointError
from minicnn.optim import SGD, Adam, AdamW, Optimizer

Make = Callable[[list[Parameter]], Optimizer]

MAKERS: dict[str, Make] = {
    "sgd": lambda params: SGD(params, 0.1),
    "sgd, decay": lambda params: SGD(params, 0.1, weight_decay=0.01),
    "momentum": lambda params: SGD(params, 0.1, momentum=0.9),
    "momentum, decay": lambda params: SGD(params, 0.1, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda params: SGD(params, 0.1, 0.9, nesterov=True),
    "nesterov, decay": lambda params: SGD(params, 0.1, 0.9, True, 0.01),
    "adam": lambda params: Adam(params),
    "adam, decay": lambda params: Adam(params, 0.01, (0.8, 0.99), 1e-6, 0.1),
    "adamw": lambda params: AdamW(params),
    "adamw, no decay": lambda params: AdamW(params, 0.01, weight_decay=0.0),
}
every_optimizer = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


def parameters(dtype: Any = np.float64, seed: int = 0) -> list[Parameter]:
    """Several ranks, one longer than two pieces, one empty."""
    rng = np.random.default_rng(seed)
    shapes = [(3, 2, 3, 3), (5,), (300, 221), (), (0, 4)]
    return [Parameter(rng.standard_normal(shape).astype(dtype)) for shape in shapes]


def fill_gradients(params: list[Parameter], step: int) -> None:
    """Gradients for a step: noise of growing size, and none for one parameter in turn."""
    rng = np.random.default_rng(step)
    for index, parameter in enumerate(params):
        parameter.zero_grad()
        grad = rng.standard_normal(parameter.shape) * 1.1**step
        if (step + index) % 4:
            parameter.grad = grad


def run(optimizer: Optimizer, steps: range) -> None:
    for step in steps:
        fill_gradients(optimizer.params, step)
        optimizer.step()


def values(params: list[Parameter]) -> list[Any]:
    return [parameter.data.copy() for parameter in params]


def assert_same(params: list[Parameter], expected: list[Any]) -> None:
    for parameter, array in zip(params, expected, strict=True):
        np.testing.assert_array_equal(parameter.data, array)


class TestAgainstPyTorch:
    @every_optimizer
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_thirty_steps_are_pytorchs(self, make: Make, dtype: Any) -> None:
        torch = pytest.importorskip("torch")
        params = parameters(dtype)
        optimizer = make(params)
        tensors = [torch.tensor(parameter.data.copy(), requires_grad=True) for parameter in params]
        settings = optimizer.config()
        theirs = getattr(torch.optim, settings.pop("type"))(tensors, foreach=False, **settings)
        for step in range(30):
            optimizer.lr = 0.1 / (1 + step)
            for group in theirs.param_groups:
                group["lr"] = optimizer.lr
            fill_gradients(params, step)
            for parameter, tensor in zip(params, tensors, strict=True):
                tensor.grad = None if parameter.grad is None else torch.tensor(parameter.grad)
            optimizer.step()
            theirs.step()
        rounding: Any = {"rtol": 1e-11, "atol": 1e-15}
        if dtype == np.float32:
            rounding = {"rtol": 1e-4, "atol": 1e-5}
        for parameter, tensor in zip(params, tensors, strict=True):
            assert parameter.dtype == dtype
            np.testing.assert_allclose(parameter.data, tensor.detach().numpy(), **rounding)


class TestRules:
    """The rules, worked by hand on one number."""

    def test_sgd(self) -> None:
        theta = Parameter(np.array([1.0]))
        optimizer = SGD([theta], lr=0.1, momentum=0.5, weight_decay=0.1)
        theta.grad = [2.0]
        optimizer.step()  # g = 2 + 0.1, v = 2.1
        assert theta.data == pytest.approx(1 - 0.21)
        theta.grad = [0.0]
        optimizer.step()  # g = 0.079, v = 1.05 + 0.079
        assert theta.data == pytest.approx(0.79 - 0.1129)

    def test_nesterov_looks_ahead(self) -> None:
        theta = Parameter(np.array([1.0]))
        theta.grad = [2.0]
        SGD([theta], lr=0.1, momentum=0.5, nesterov=True).step()
        assert theta.data == pytest.approx(1 - 0.1 * (2 + 0.5 * 2))

    @pytest.mark.parametrize("grad", [1e-3, 1.0, -250.0])
    def test_the_first_step_of_adam_is_the_learning_rate(self, grad: float) -> None:
        theta = Parameter(np.array([1.0]))
        theta.grad = [grad]
        Adam([theta], lr=0.01).step()
        assert theta.data == pytest.approx(1 - 0.01 * np.sign(grad), rel=1e-6)

    def test_adamw_decays_what_adam_feeds_through_the_gradient(self) -> None:
        for kind, expected in ((AdamW, 2 * (1 - 0.1 * 0.5)), (Adam, 2 - 0.1)):
            theta = Parameter(np.array([2.0]))
            theta.grad = [0.0]
            kind([theta], lr=0.1, weight_decay=0.5).step()
            assert theta.data == pytest.approx(expected)

    @every_optimizer
    def test_each_finds_the_bottom_of_a_bowl(self, make: Make) -> None:
        theta = Parameter(np.array([1.0, -2.0]))
        optimizer = make([theta])
        optimizer.lr = 0.05
        for _ in range(400):
            theta.zero_grad()
            theta.grad = theta.data * [1.0, 3.0]
            optimizer.step()
        assert np.abs(theta.data).max() < 0.05


class TestStep:
    @every_optimizer
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_works_in_place_and_leaves_gradients_alone(self, make: Make, dtype: Any) -> None:
        params = parameters(dtype)
        arrays = [parameter.data for parameter in params]
        optimizer = make(params)
        fill_gradients(params, 1)
        grads = [None if p.grad is None else p.grad.copy() for p in params]
        optimizer.step()
        for parameter, array, grad in zip(params, arrays, grads, strict=True):
            assert parameter.data is array and array.dtype == dtype
            np.testing.assert_array_equal(parameter.grad, grad)

    @every_optimizer
    def test_the_order_of_the_users_arrays_does_not_show(self, make: Make) -> None:
        data, grad = np.random.default_rng(0).standard_normal((2, 6, 5))
        params = [Parameter(data), Parameter(np.asfortranarray(data))]
        params[1].data = np.asfortranarray(data)
        params[0].grad, params[1].grad = grad, np.asfortranarray(grad)
        make(params).step()
        assert (params[0].data != data).any()
        assert_same(params[1:], values(params[:1]))

    @every_optimizer
    def test_without_a_gradient_nothing_moves(self, make: Make) -> None:
        params = parameters()
        optimizer = make(params)
        run(optimizer, range(3))
        before, state = values(params), optimizer.state_dict()
        optimizer.zero_grad()
        optimizer.step()
        assert_same(params, before)
        assert optimizer.state_dict()["step"] == 4
        for key, array in state.items():
            if key != "step":
                np.testing.assert_array_equal(optimizer.state_dict()[key], array)

    @every_optimizer
    def test_a_learning_rate_of_zero_moves_nothing(self, make: Make) -> None:
        params = parameters()
        before = values(params)
        optimizer = make(params)
        optimizer.lr = 0
        run(optimizer, range(3))
        assert_same(params, before)

    @every_optimizer
    def test_what_is_not_finite_spreads_without_warnings(self, make: Make) -> None:
        theta = Parameter(np.ones(3, np.float32))
        optimizer = make([theta])
        for grad in ([np.nan, 1, 1e38], [np.inf, 1, 1e38], [1, 1, -np.inf]):
            theta.zero_grad()
            theta.grad = np.array(grad, np.float32)
            optimizer.step()
        assert np.isnan(theta.data[0]) and np.isfinite(theta.data[1])

    @every_optimizer
    def test_a_net_may_change_its_precision(self, make: Make) -> None:
        params, wide = parameters(np.float32), parameters(np.float32)
        optimizer, reference = make(params), make(wide)
        run(optimizer, range(2))
        run(reference, range(2))
        for parameter in params:
            parameter.convert(np.float64)
        run(optimizer, range(2, 6))
        run(reference, range(2, 6))
        for parameter, other in zip(params, wide, strict=True):
            assert parameter.dtype == np.float64
            np.testing.assert_allclose(parameter.data, other.data, rtol=1e-3, atol=1e-4)
        assert all(
            array.dtype == np.float64 for key, array in optimizer.state_dict().items() if "." in key
        )

    @pytest.mark.skipif(not kernels.info()["level"], reason="the reference kernels make arrays")
    @every_optimizer
    def test_allocates_nothing_large(self, make: Make) -> None:
        import tracemalloc

        theta = Parameter(np.ones(300_000, np.float32))
        theta.grad = np.ones(300_000, np.float32)
        optimizer = make([theta])
        optimizer.step()
        tracemalloc.start()
        optimizer.step()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 10_000


class TestState:
    @every_optimizer
    @given(steps=st.integers(0, 5), more=st.integers(1, 5))
    @settings(max_examples=10)
    def test_continuing_from_a_state_is_bit_identical(
        self, make: Make, steps: int, more: int
    ) -> None:
        straight = parameters(np.float32)
        run(make(straight), range(steps + more))
        first, second = parameters(np.float32), parameters(np.float32, seed=1)
        before, after = make(first), make(second)
        run(before, range(steps))
        run(after, range(3))  # any other history must be gone afterwards
        after.load_state_dict(before.state_dict())
        for parameter, array in zip(second, values(first), strict=True):
            parameter.data = array
        run(after, range(steps, steps + more))
        assert_same(second, values(straight))

    def test_names(self) -> None:
        params = parameters()
        assert list(SGD(params, 0.1).state_dict()) == ["step", "steps", "lr"]
        keys = list(SGD(params[:2], 0.1, 0.9).state_dict())
        assert keys == ["step", "steps", "lr", "velocity.0", "velocity.1"]
        keys = list(Adam(params[:1]).state_dict())
        assert keys == ["step", "steps", "lr", "mean.0", "square.0"]

    @every_optimizer
    def test_arrays_have_the_shape_of_their_parameter(self, make: Make) -> None:
        params = parameters(np.float32)
        state = make(params).state_dict()
        arrays = {key: array for key, array in state.items() if "." in key}
        assert len(arrays) == len(params) * len(make(params).slots)
        for key, array in arrays.items():
            parameter = params[int(key.partition(".")[2])]
            assert array.shape == parameter.shape and array.dtype == np.float32

    @every_optimizer
    def test_a_state_is_a_copy(self, make: Make) -> None:
        optimizer = make(parameters())
        run(optimizer, range(2))
        state = optimizer.state_dict()
        kept = {key: np.array(value) for key, value in state.items()}
        run(optimizer, range(2, 4))
        for key, value in state.items():
            np.testing.assert_array_equal(value, kept[key])
        optimizer.load_state_dict(state)
        run(optimizer, range(2, 4))
        for key, value in state.items():
            np.testing.assert_array_equal(value, kept[key])

    def test_carries_the_learning_rate(self) -> None:
        optimizer = SGD(parameters(), 0.1)
        optimizer.lr = 0.025
        other = SGD(parameters(), 0.1)
        other.load_state_dict(optimizer.state_dict())
        assert other.lr == 0.025

    def test_survives_arrays_for_numbers(self) -> None:
        """Files of arrays give scalars back as arrays of rank 0."""
        optimizer = Adam(parameters())
        run(optimizer, range(2))
        other = Adam(parameters())
        other.load_state_dict({k: np.asarray(v) for k, v in optimizer.state_dict().items()})
        assert other.state_dict()["step"] == 2 and isinstance(other.state_dict()["step"], int)
        assert isinstance(other.lr, float)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda s: s.pop("mean.1"), r"no state of this Adam: missing mean\.1$"),
            (lambda s: s.update({"velocity.0": 1}), r"unknown velocity\.0$"),
            (lambda s: s.clear(), "missing lr, mean.0, mean.1, square.0 …"),
            (
                lambda s: s.update({"mean.1": np.zeros(4)}),
                r"Adam: mean\.1 must be float64 of shape \(5,\), got float64 of shape \(4,\)",
            ),
            (
                lambda s: s.update({"mean.1": np.zeros(5, np.float32)}),
                r"mean\.1 must be float64 of shape \(5,\), got float32",
            ),
            (lambda s: s.update({"steps": np.zeros(3, np.int64)}), r"steps must be int64"),
            (lambda s: s.update({"steps": np.array([9, 0])}), r"steps must be from 0 to step=2"),
            (lambda s: s.update({"steps": np.array([-1, 0])}), r"steps must be from 0 to step=2"),
            (lambda s: s.update(step=-1), "step must be an integer of at least 0, got -1"),
            (lambda s: s.update(step=1.5), "step must be an integer of at least 0, got 1.5"),
            (lambda s: s.update(lr=math.nan), "lr must be a finite number"),
            (lambda s: s.update(lr="fast"), "lr must be a finite number"),
        ],
    )
    def test_another_state_is_refused_and_changes_nothing(
        self, change: Callable[[dict[str, Any]], Any], message: str
    ) -> None:
        optimizer = Adam(parameters()[:2])
        run(optimizer, range(2))
        before = optimizer.state_dict()
        state = optimizer.state_dict()
        state["mean.0"] += 1
        change(state)
        with pytest.raises(CheckpointError, match=message):
            optimizer.load_state_dict(state)
        for key, value in optimizer.state_dict().items():
            np.testing.assert_array_equal(value, before[key])

    @every_optimizer
    def test_the_config_makes_it_again(self, make: Make) -> None:
        optimizer = make(parameters())
        config = json.loads(json.dumps(optimizer.config()))
        again = optim.from_config(config, parameters())
        assert repr(again) == repr(optimizer)
        run(optimizer, range(4))
        run(again, range(4))
        assert_same(again.params, values(optimizer.params))


def test_configs_that_fit_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="optimizer must be one of SGD, Adam, AdamW, got 'Lion'"):
        optim.from_config({"type": "Lion"}, parameters())
    with pytest.raises(ValueError, match="does not fit"):
        optim.from_config({"type": "Adam", "momentum": 0.9}, parameters())


def test_reprs_tell_the_settings() -> None:
    assert repr(SGD(parameters(), 0.1)) == (
        "SGD(5 parameters, lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.0)"
    )
    assert repr(AdamW(parameters())) == (
        "AdamW(5 parameters, lr=0.001, betas=[0.9, 0.999], eps=1e-08, weight_decay=0.01)"
    )


ONE = [Parameter(np.ones(2))]
make_sgd: Any = SGD
make_adam: Any = Adam


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: make_sgd([], 0.1), ValueError, "params must hold at least one Parameter"),
        (lambda: make_sgd(ONE * 2, 0.1), ValueError, "params must hold each Parameter once"),
        (lambda: make_sgd(None, 0.1), TypeError, "params must be Parameters as net.parameters"),
        (
            lambda: make_sgd({"weight": ONE[0]}, 0.1),
            TypeError,
            "params must hold Parameters.*'weight'",
        ),
        (lambda: make_sgd([np.ones(2)], 0.1), TypeError, "params must hold Parameters.*array"),
        (
            lambda: make_sgd(ONE, -0.1),
            ValueError,
            "lr must be a finite number at least 0, got -0.1",
        ),
        (lambda: make_sgd(ONE, math.inf), ValueError, "lr must be a finite number"),
        (lambda: make_sgd(ONE, "0.1"), TypeError, "lr must be a finite number"),
        (lambda: make_sgd(ONE, 0.1, 1.0), ValueError, "momentum must be .* below 1"),
        (lambda: make_sgd(ONE, 0.1, -0.5), ValueError, "momentum must be .* at least 0"),
        (lambda: make_sgd(ONE, 0.1, nesterov=True), ValueError, "nesterov needs a momentum"),
        (lambda: make_sgd(ONE, 0.1, weight_decay=-1), ValueError, "weight_decay must be"),
        (lambda: make_adam(ONE, betas=0.9), ValueError, "betas must be a pair of numbers, got 0.9"),
        (lambda: make_adam(ONE, betas=(0.9,)), ValueError, "betas must be a pair of numbers"),
        (lambda: make_adam(ONE, betas=(1.0, 0.9)), ValueError, r"betas\[0\] must be .* below 1"),
        (lambda: make_adam(ONE, betas=(0.9, -1)), ValueError, r"betas\[1\] must be"),
        (lambda: make_adam(ONE, eps=-1e-8), ValueError, "eps must be"),
        (lambda: AdamW(ONE, weight_decay=math.nan), ValueError, "weight_decay must be"),
    ],
)
def test_bad_arguments_are_named(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()


def test_the_learning_rate_stays_checked() -> None:
    optimizer = SGD(ONE, 0.1)
    with pytest.raises(ValueError, match="lr must be a finite number at least 0, got nan"):
        optimizer.lr = math.nan
    assert optimizer.lr == 0.1


@every_optimizer
@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))]
)
def test_a_copy_of_net_and_optimizer_goes_on_as_the_original(make: Make, duplicate: Any) -> None:
    params = parameters()
    optimizer = make(params)
    for parameter in params:
        parameter.grad = np.ones(parameter.shape)
    optimizer.step()
    twins, twin = duplicate((params, optimizer))
    optimizer.step()
    twin.step()
    for mine, theirs in zip(params, twins, strict=True):
        assert not np.shares_memory(mine.data, theirs.data)
        np.testing.assert_array_equal(mine.data, theirs.data)
