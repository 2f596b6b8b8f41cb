from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import init
from minicnn.errors import ShapeError

SCHEMES: list[Callable[..., Any]] = [
    init.kaiming_normal,
    init.kaiming_uniform,
    init.xavier_normal,
    init.xavier_uniform,
]
shapes = st.one_of(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4)),
)


def test_a_generator_is_used_as_it_is_and_none_is_fresh_every_time() -> None:
    generator = np.random.default_rng(0)
    assert init.as_generator(generator) is generator
    assert init.as_generator(None).random() != init.as_generator(None).random()


@pytest.mark.parametrize("seed", [0, 7, np.int64(7), np.uint8(3), 2**100])
def test_a_seed_gives_the_same_numbers_every_time(seed: int) -> None:
    assert init.as_generator(seed).random() == np.random.default_rng(int(seed)).random()


def test_a_seed_sequence_seeds_a_generator() -> None:
    sequence = np.random.SeedSequence(5)
    assert init.as_generator(sequence).random() == np.random.default_rng(5).random()


@pytest.mark.parametrize("rng", ["7", 7.0, True, [1, 2], np.random])
def test_what_is_no_rng_is_refused(rng: Any) -> None:
    with pytest.raises(TypeError, match="rng must be None, a seed"):
        init.as_generator(rng)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="rng must be an integer of at least 0, got -1"):
        init.as_generator(-1)


def test_fans_of_linear_convolution_and_grouped_convolution() -> None:
    assert init.fan_in_fan_out((10, 784)) == (784, 10)
    assert init.fan_in_fan_out((8, 3, 5, 2)) == (30, 80)
    assert init.fan_in_fan_out((8, 1, 3, 3)) == (9, 72)  # 8 groups of one channel each


@pytest.mark.parametrize("shape", [(), (3,), (0, 4), (4, 0), (8, 3, 0, 3)])
def test_shapes_without_fans_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="shape must be"):
        init.fan_in_fan_out(shape)
    for scheme in SCHEMES:
        with pytest.raises(ShapeError, match="shape must be"):
            scheme(shape, 0)


def test_gains() -> None:
    assert init.calculate_gain("linear") == 1
    assert init.calculate_gain("sigmoid") == 1
    assert init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("leaky_relu", 0) == math.sqrt(2)
    assert init.calculate_gain("leaky_relu", 1) == 1
    with pytest.raises(ValueError, match="nonlinearity must be one of linear, .*got 'swish'"):
        init.calculate_gain("swish")  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", SCHEMES)
@given(shape=shapes, seed=st.integers(0, 2**32))
def test_a_seed_decides_the_weights_in_both_precisions(
    scheme: Callable[..., Any], shape: tuple[int, ...], seed: int
) -> None:
    double = scheme(shape, seed, np.float64)
    single = scheme(shape, seed)
    assert single.shape == double.shape == shape
    assert single.dtype == np.float32 and double.dtype == np.float64
    assert single.flags.c_contiguous and single.flags.writeable
    np.testing.assert_array_equal(single, double.astype(np.float32))
    np.testing.assert_array_equal(single, scheme(shape, seed))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_two_draws_from_one_generator_differ(scheme: Callable[..., Any]) -> None:
    generator = np.random.default_rng(0)
    assert not np.array_equal(scheme((4, 4), generator), scheme((4, 4), generator))


SHAPE = (64, 48, 3, 3)  # fan_in 432, fan_out 576
DRAWS = [
    (init.kaiming_normal, {}, math.sqrt(2 / 432)),
    (init.kaiming_normal, {"mode": "fan_out"}, math.sqrt(2 / 576)),
    (init.kaiming_normal, {"negative_slope": 1.0}, math.sqrt(1 / 432)),
    (init.kaiming_uniform, {}, math.sqrt(2 / 432)),
    (init.kaiming_uniform, {"negative_slope": math.sqrt(5)}, math.sqrt(1 / 3 / 432)),
    (init.xavier_normal, {}, math.sqrt(2 / (432 + 576))),
    (init.xavier_normal, {"gain": 5 / 3}, 5 / 3 * math.sqrt(2 / (432 + 576))),
    (init.xavier_uniform, {}, math.sqrt(2 / (432 + 576))),
]


@pytest.mark.parametrize(("scheme", "options", "std"), DRAWS)
def test_mean_and_deviation_are_as_published(
    scheme: Callable[..., Any], options: dict[str, Any], std: float
) -> None:
    weights = scheme(SHAPE, 1, np.float64, **options)
    standard_error = std / math.sqrt(weights.size)
    assert abs(weights.mean()) < 4 * standard_error
    assert weights.std() == pytest.approx(std, rel=0.02)
    if "uniform" in scheme.__name__:
        bound = math.sqrt(3) * std
        assert 0.999 * bound < np.abs(weights).max() <= bound
    else:
        assert np.abs(weights).max() > 3 * std


def test_the_bound_that_pytorch_layers_start_with() -> None:
    torch = pytest.importorskip("torch")
    ours = init.kaiming_uniform(SHAPE, 0, negative_slope=math.sqrt(5))
    theirs = torch.nn.Conv2d(48, 64, 3).weight.detach().numpy()
    for weights in (ours, theirs):
        assert np.abs(weights).max() == pytest.approx(1 / math.sqrt(432), rel=1e-3)


@pytest.mark.parametrize("name", ["linear", "sigmoid", "tanh", "relu", "leaky_relu"])
def test_gains_are_pytorchs(name: Any) -> None:
    torch = pytest.importorskip("torch")
    assert init.calculate_gain(name, 0.2) == pytest.approx(
        torch.nn.init.calculate_gain(name, 0.2 if name == "leaky_relu" else None)
    )


def test_plain_draws_take_any_shape() -> None:
    assert init.uniform((5,), 0.0, 0).tolist() == [0.0] * 5
    assert init.normal((), 1.0, 0).shape == ()
    assert init.normal((2, 0), 1.0, 0).shape == (2, 0)


# For calls that mypy would not let through.
kaiming_normal: Any = init.kaiming_normal
xavier_uniform: Any = init.xavier_uniform


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: init.kaiming_normal((2, 2), 0, "float16"), "dtype must be float32 or float64"),
        (lambda: init.kaiming_normal((2, 2), 0, np.int64), "dtype must be float32 or float64"),
        (lambda: kaiming_normal((2, 2), 0, mode="fan"), 'mode must be "fan_in" or "fan_out"'),
        (lambda: init.kaiming_normal((2, 2), 0, negative_slope=math.nan), "negative_slope must be"),
        (lambda: init.xavier_normal((2, 2), 0, gain=-1), "gain must be .* at least 0, got -1"),
        (lambda: xavier_uniform((2, 2), 0, gain="big"), "gain must be a finite number"),
        (lambda: init.uniform((2, 2), -0.1), "bound must be"),
        (lambda: init.normal((2, 2), math.inf), "std must be"),
        (lambda: kaiming_normal((2, 2.5), 0), "shape must be an integer"),
    ],
)
def test_bad_arguments_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()
