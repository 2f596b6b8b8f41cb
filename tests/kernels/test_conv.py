"""The compiled convolution against the NumPy reference, and against PyTorch where it is there."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn import kernels
from minicnn.kernels import reference

from .arrays import Array, Guarded, assert_close, family, levels, random

Pair = tuple[int, int]
THREADS = (1, 2, 3, 7)


@dataclass(frozen=True)
class Case:
    """One convolution; channels are those of one group."""

    batch: int
    groups: int
    channels: int
    outputs: int
    size: Pair
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    @property
    def out_size(self) -> Pair:
        h, w = (
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(
                self.size, self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )
        return h, w

    @property
    def x_shape(self) -> tuple[int, ...]:
        return (self.batch, self.groups * self.channels, *self.size)

    @property
    def y_shape(self) -> tuple[int, ...]:
        return (self.batch, self.groups * self.outputs, *self.out_size)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return (self.groups * self.outputs, self.channels, *self.kernel)

    @property
    def arguments(self) -> tuple[Pair, Pair, Pair, int, bool]:
        return self.stride, self.padding, self.dilation, self.groups, False


@dataclass(frozen=True)
class Inputs:
    x: Array
    weight: Array
    bias: Array
    dy: Array

    @classmethod
    def of(cls, case: Case, dtype: Any, seed: int = 0) -> Inputs:
        rng = np.random.default_rng(seed)
        shapes = (case.x_shape, case.weight_shape, case.weight_shape[:1], case.y_shape)
        return cls(*(random(rng, shape, dtype) for shape in shapes))

    def map(self, function: Any) -> Inputs:
        return Inputs(*(function(a) for a in (self.x, self.weight, self.bias, self.dy)))


def run(engine: Any, case: Case, data: Inputs, threads: int = 1) -> dict[str, Array]:
    """All four functions, twice where they accumulate, into guarded arrays full of NaN."""
    dtype = data.x.dtype
    out = {
        name: Guarded(shape, dtype)
        for name, shape in (
            ("y", case.y_shape),
            ("y without bias", case.y_shape),
            ("dx", case.x_shape),
            ("dw", case.weight_shape),
            ("db", case.weight_shape[:1]),
        )
    }
    arguments = case.arguments
    x, weight, bias, dy = data.x, data.weight, data.bias, data.dy
    engine.conv2d_forward(x, weight, bias, out["y"].array, *arguments, False, threads)
    engine.conv2d_forward(x, weight, None, out["y without bias"].array, *arguments, False, threads)
    engine.conv2d_backward_input(dy, weight, out["dx"].array, *arguments, threads)
    engine.conv2d_backward_weight(x, dy, out["dw"].array, *arguments, False, threads)
    engine.conv2d_backward_bias(dy, out["db"].array, False, threads)
    results = {name: guarded.check() for name, guarded in out.items()}
    engine.conv2d_backward_weight(x, dy, out["dw"].array, *arguments, True, threads)
    engine.conv2d_backward_bias(dy, out["db"].array, True, threads)
    results["dw twice"] = out["dw"].check()
    results["db twice"] = out["db"].check()
    return results


def check(engine: Any, case: Case, dtype: Any, seed: int = 0) -> None:
    """Parity with the reference in double precision, to rounding, element by element."""
    data = Inputs.of(case, dtype, seed)
    exact = run(reference, case, data.map(lambda a: a.astype(np.float64)))
    magnitude = run(reference, case, data.map(lambda a: np.abs(a.astype(np.float64))))
    pixels = case.batch * int(np.prod(case.out_size))
    window = int(np.prod(case.kernel))
    terms = {"y": case.channels * window, "dx": case.outputs * window, "dw": pixels, "db": pixels}
    for name, got in run(engine, case, data).items():
        assert_close(got, exact[name], magnitude[name], terms[name.split()[0]] + 2)


def pairs(low: int, high: int) -> st.SearchStrategy[Pair]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any convolution with a non-empty output, small."""
    kernel, dilation = draw(pairs(1, 5)), draw(pairs(1, 3))
    padding, stride = draw(pairs(0, 5)), draw(pairs(1, 4))
    least = [
        max(1, d * (k - 1) + 1 - 2 * p) for k, d, p in zip(kernel, dilation, padding, strict=True)
    ]
    extra = draw(pairs(0, 14))
    return Case(
        batch=draw(st.sampled_from((1, 2, 3, 9))),
        groups=draw(st.sampled_from((1, 1, 2, 3))),
        channels=draw(st.integers(1, 9)),
        outputs=draw(st.integers(1, 13) | st.sampled_from([48, 49, 70])),
        size=(least[0] + extra[0], least[1] + extra[1]),
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
    )


# What random small cases would rarely meet: several channel blocks, bands of rows, chunks of the
# batch and joined pictures; every width of tile; phases without taps.
NAMED = {
    "1x1": Case(3, 1, 37, 29, (9, 11), (1, 1)),
    "1x1, no whole vector": Case(2, 1, 200, 9, (1, 1), (1, 1)),
    "1x1 stride 2": Case(2, 1, 12, 10, (11, 8), (1, 1), (2, 2)),
    "1x1 stride 3, padded": Case(2, 1, 3, 4, (7, 7), (1, 1), (3, 3), (2, 1)),
    "column kernel, walked in place": Case(3, 1, 5, 6, (12, 10), (3, 1)),
    "row kernel": Case(3, 1, 5, 6, (12, 10), (1, 3)),
    "depthwise": Case(2, 24, 1, 1, (15, 13), (3, 3), (1, 1), (1, 1)),
    "depthwise, multiplied, stride 2": Case(2, 10, 1, 3, (15, 13), (5, 3), (2, 2), (2, 1)),
    "kernel larger than the picture": Case(4, 1, 3, 5, (2, 3), (5, 7), (1, 1), (2, 3)),
    "padding larger than the kernel": Case(2, 1, 3, 5, (4, 5), (3, 2), (1, 1), (4, 5)),
    "stride that does not divide": Case(2, 1, 4, 6, (10, 9), (3, 3), (4, 3)),
    "stride larger than the kernel": Case(2, 1, 4, 6, (17, 17), (2, 3), (5, 4)),
    "dilation larger than the picture": Case(2, 1, 3, 4, (6, 6), (2, 3), (1, 1), (8, 9), (9, 8)),
    "dilation and stride": Case(2, 1, 3, 4, (23, 22), (3, 4), (2, 3), (1, 2), (4, 3)),
    "blocks of channels": Case(2, 1, 70, 33, (9, 8), (3, 3), (1, 1), (1, 1)),
    "blocks of channels, grouped": Case(3, 2, 41, 7, (6, 5), (3, 3)),
    "bands of rows": Case(1, 1, 3, 5, (131, 210), (3, 3), (1, 1), (1, 1)),
    "bands of rows, stride 2": Case(2, 1, 3, 6, (225, 190), (5, 5), (2, 2), (2, 0)),
    "many small pictures": Case(67, 1, 6, 7, (5, 5), (3, 3)),
    "joined edges": Case(65, 1, 2, 4, (7, 7), (2, 2), (2, 2)),
    "one output": Case(3, 1, 8, 1, (13, 12), (3, 3)),
    "two outputs": Case(3, 1, 8, 2, (13, 12), (3, 3)),
    "five outputs": Case(3, 1, 8, 5, (13, 12), (3, 3)),
    "many outputs": Case(3, 1, 5, 53, (9, 8), (3, 3)),
    "many outputs, strided groups": Case(5, 2, 3, 50, (13, 12), (3, 3), (2, 2), (1, 1)),
    "many outputs, large planes": Case(2, 1, 3, 49, (25, 24), (3, 2), (1, 1), (1, 0)),
    "many outputs, two pixels": Case(200, 1, 2, 48, (4, 3), (3, 3)),
    "many outputs, one pixel": Case(5, 1, 4, 60, (3, 3), (3, 3)),
    "many outputs, 1x1": Case(3, 1, 9, 64, (5, 7), (1, 1)),
    "many outputs, bands": Case(1, 1, 2, 48, (140, 210), (3, 3), (1, 1), (1, 1)),
    "one column": Case(3, 1, 4, 5, (20, 3), (3, 3)),
    "one pixel": Case(5, 1, 4, 5, (3, 3), (3, 3)),
    "wide kernel": Case(2, 1, 1, 3, (11, 30), (11, 17), (1, 1), (5, 8)),
}


@settings(max_examples=200)
@given(case=cases(), seed=st.integers(0, 1000))
def test_random_cases_match_the_reference_in_double(case: Case, seed: int) -> None:
    check(kernels.engine, case, np.float64, seed)


@settings(max_examples=200)
@given(case=cases(), seed=st.integers(0, 1000))
def test_random_cases_match_the_reference_in_single(case: Case, seed: int) -> None:
    check(kernels.engine, case, np.float32, seed)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("level", levels())
@pytest.mark.parametrize("name", NAMED)
def test_named_cases_match_the_reference_on_every_level(name: str, level: str, dtype: Any) -> None:
    check(family(level, "conv"), NAMED[name], dtype)


THREADED = {
    "few channels": Case(16, 1, 1, 8, (28, 28), (3, 3)),
    "one picture": Case(1, 1, 16, 24, (40, 41), (3, 3), (1, 1), (1, 1)),
    "one picture, bands, stride 2": Case(1, 1, 3, 9, (224, 150), (3, 3), (2, 2)),
    "batch, odd sizes": Case(13, 1, 17, 19, (15, 13), (3, 3), (1, 1), (1, 1)),
    "groups": Case(5, 3, 9, 11, (21, 19), (5, 3), (2, 1), (1, 2)),
    "depthwise": Case(8, 32, 1, 1, (40, 40), (3, 3), (1, 1), (1, 1)),
    "many channels": Case(3, 1, 100, 40, (9, 9), (3, 3), (1, 1), (1, 1)),
    "1x1": Case(7, 1, 64, 48, (14, 14), (1, 1)),
    "many outputs": Case(6, 1, 20, 70, (15, 13), (3, 3), (2, 2)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", THREADED)
def test_results_are_the_same_bits_for_any_number_of_threads(name: str, dtype: Any) -> None:
    case = THREADED[name]
    data = Inputs.of(case, dtype)
    first = run(kernels.engine, case, data, THREADS[0])
    for threads in THREADS[1:]:
        for key, value in run(kernels.engine, case, data, threads).items():
            assert value.tobytes() == first[key].tobytes(), f"{key} with {threads} threads"


def test_results_do_not_depend_on_alignment() -> None:
    case = Case(4, 1, 7, 9, (13, 11), (3, 3))
    data = Inputs.of(case, np.float32)
    first = run(kernels.engine, case, data)

    def moved(a: Array) -> Array:
        room = np.empty(a.size + 1, a.dtype)
        room[1:] = a.ravel()
        return room[1:].reshape(a.shape)

    for key, value in run(kernels.engine, case, data.map(moved)).items():
        assert value.tobytes() == first[key].tobytes(), key


def test_a_picture_gives_the_same_alone_and_in_a_batch() -> None:
    case = Case(6, 1, 5, 8, (11, 11), (3, 3))
    alone = Case(1, 1, 5, 8, (11, 11), (3, 3))
    data = Inputs.of(case, np.float32)
    batch = run(kernels.engine, case, data)
    for b in range(case.batch):
        one = Inputs(data.x[b : b + 1], data.weight, data.bias, data.dy[b : b + 1])
        result = run(kernels.engine, alone, one)
        assert (result["y"] == batch["y"][b : b + 1]).all()
        assert (result["dx"] == batch["dx"][b : b + 1]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_empty_batch(dtype: Any) -> None:
    case = Case(0, 1, 3, 4, (7, 7), (3, 3))
    result = run(kernels.engine, case, Inputs.of(case, dtype))
    assert result["y"].shape == (0, 4, 5, 5)
    assert result["dx"].shape == (0, 3, 7, 7)
    for name in ("dw", "dw twice", "db", "db twice"):
        assert (result[name] == 0).all()


def test_accumulating_into_an_empty_batch_keeps_what_is_there() -> None:
    case = Case(0, 1, 3, 4, (7, 7), (3, 3))
    data = Inputs.of(case, np.float32)
    dw, db = np.ones(case.weight_shape, np.float32), np.ones(4, np.float32)
    kernels.engine.conv2d_backward_weight(data.x, data.dy, dw, *case.arguments, True, 1)
    kernels.engine.conv2d_backward_bias(data.dy, db, True, 1)
    assert (dw == 1).all() and (db == 1).all()


@pytest.mark.parametrize("name", ["many small pictures", "stride that does not divide", "1x1"])
def test_a_nan_reaches_what_it_should_and_nothing_else(name: str) -> None:
    case = NAMED[name]
    data = Inputs.of(case, np.float32)
    x, dy = data.x.copy(), data.dy.copy()
    x[case.batch // 2, 1, -1, -1] = np.nan
    dy[case.batch // 2, 2, 0, -1] = np.inf
    bad = Inputs(x, data.weight, data.bias, dy)
    with np.errstate(invalid="ignore"):
        exact = run(reference, case, bad)
    for key, got in run(kernels.engine, case, bad).items():
        np.testing.assert_array_equal(np.isnan(got), np.isnan(exact[key]), err_msg=key)
        np.testing.assert_array_equal(np.isinf(got), np.isinf(exact[key]), err_msg=key)


def test_bias_gradient_of_many_numbers_is_exact_to_rounding() -> None:
    dy = np.full((64, 2, 100, 100), 0.1, np.float32)
    db = np.empty(2, np.float32)
    kernels.engine.conv2d_backward_bias(dy, db, False, 1)
    assert db == pytest.approx(640000 * float(np.float32(0.1)), rel=1e-6)


@settings(max_examples=100)
@given(case=cases(), seed=st.integers(0, 1000))
def test_random_cases_match_pytorch(case: Case, seed: int) -> None:
    torch = pytest.importorskip("torch")
    data = Inputs.of(case, np.float64, seed)
    x, weight, bias, dy = (
        torch.from_numpy(a.copy()) for a in (data.x, data.weight, data.bias, data.dy)
    )
    y = torch.nn.functional.conv2d(x, weight, bias, *case.arguments[:4])
    stride, padding, dilation, groups, _ = case.arguments
    dx, dw, db = torch.ops.aten.convolution_backward(
        dy, x, weight, [len(bias)], stride, padding, dilation, False, [0, 0], groups, [True] * 3
    )
    got = run(kernels.engine, case, data)
    for name, peer in (("y", y), ("dx", dx), ("dw", dw), ("db", db)):
        np.testing.assert_allclose(got[name], peer.numpy(), rtol=1e-9, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("level", levels())
def test_wrong_arrays_are_refused(level: str) -> None:
    """The compiled functions check dtype, dimensions and contiguity, and nothing else."""
    engine: ModuleType = family(level, "conv")
    case = Case(2, 1, 3, 4, (7, 7), (3, 3))
    data = Inputs.of(case, np.float32)
    y = np.empty(case.y_shape, np.float32)
    arguments = (*case.arguments, False, 1)
    with pytest.raises((TypeError, ValueError)):
        engine.conv2d_forward(data.x.astype(np.float64), data.weight, None, y, *arguments)
    with pytest.raises((TypeError, ValueError)):
        engine.conv2d_forward(data.x[0], data.weight, None, y, *arguments)
    with pytest.raises((TypeError, ValueError)):
        engine.conv2d_forward(data.x[:, :, :, ::2], data.weight, None, y, *arguments)
    with pytest.raises((TypeError, ValueError)):
        engine.conv2d_forward(data.x, data.weight, None, data.dy, *arguments)  # read-only output
