"""Compiled plans on every CPU level: what the reference engine makes of the same program."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minicnn as mc
from minicnn.kernels import reference
from minicnn.kernels._program import Program
from minicnn.layers.fuse import program_of

from .arrays import Guarded, family, levels, random

THREADS = (1, 2, 3, 7)
ENGINES = [pytest.param(family(level, "plan"), id=level) for level in levels()]


def made(engine: Any, program: Program, x: Any, threads: int, winograd: bool = True) -> Any:
    """What an engine makes of x: written into an array full of NaN, between numbers that stay."""
    handle = engine.plan_prepare(program, winograd)
    y = Guarded((len(x), program.outputs), np.float32)
    engine.plan_run(handle, x, y.array, threads)
    first = y.check().copy()
    y.array.fill(np.nan)
    engine.plan_run(handle, x, y.array, threads)  # in the memory of the run before
    np.testing.assert_array_equal(y.check(), first)
    return first


def check(engine: Any, layers: list[mc.Layer], shape: tuple[int, int, int], batch: int) -> None:
    program, _ = program_of(layers, shape)
    x = random(np.random.default_rng(batch), (batch, program.inputs), np.float32)
    expected = made(reference, program, x, 1)
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    for winograd in (True, False):
        results = [made(engine, program, x, threads, winograd) for threads in THREADS]
        np.testing.assert_allclose(results[0], expected, rtol=0, atol=2e-5 * scale)
        for result in results[1:]:
            np.testing.assert_array_equal(result, results[0])


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[list[mc.Layer], tuple[int, int, int]]:
    """A convolution, perhaps with ReLU and pooling behind it, and the pictures it takes."""
    groups, channels = draw(st.integers(1, 2)), draw(st.integers(1, 6))
    outputs, small = draw(st.integers(1, 11)), st.integers(1, 3)
    kernel, stride = (draw(small), draw(small)), (draw(small), draw(small))
    padding, dilation = (draw(st.integers(0, 2)), draw(st.integers(0, 2))), draw(small)
    size = [
        draw(st.integers(max(1, dilation * (k - 1) + 1 + s - 2 * p), 24))
        for k, s, p in zip(kernel, stride, padding, strict=True)
    ]
    shape = (channels * groups, size[0], size[1])
    conv = mc.Conv2D(
        shape[0], outputs * groups, kernel, stride, padding, dilation, groups, rng=draw(small)
    )
    _, _, OH, OW = conv.output_shape((1, *shape))
    layers: list[mc.Layer] = [conv]
    if draw(st.booleans()):
        layers.append(mc.ReLU())
    if draw(st.booleans()) and OH > 1 and OW > 1:
        layers.append(mc.MaxPool2D(2))
    return layers, shape


@settings(max_examples=100)
@given(drawn=convolutions(), batch=st.integers(0, 30))
def test_convolutions_with_relu_and_pooling(drawn: Any, batch: int) -> None:
    for level in levels():
        check(family(level, "plan"), *drawn, batch)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch", [1, 2, 5, 50])
def test_convolutions_that_go_winograds_way(engine: Any, batch: int) -> None:
    layers = [mc.Conv2D(32, 48, 3, padding=1, rng=0), mc.ReLU(), mc.MaxPool2D(2)]
    check(engine, layers, (32, 13, 10), batch)
    check(engine, [mc.Conv2D(64, 64, 3, groups=2, rng=0)], (64, 9, 18), batch)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch", [1, 2, 3, 31, 64, 65])
def test_linear_layers(engine: Any, batch: int) -> None:
    for features, outputs in ((1, 1), (7, 10), (193, 24), (400, 25), (1000, 130)):
        check(engine, [mc.Linear(features, outputs, rng=0), mc.ReLU()], (features, 1, 1), batch)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_plan_that_is_thrown_away_gives_its_memory_back(engine: Any) -> None:
    """Nothing to see unless under a sanitizer, or by what the process holds in the end."""
    program, _ = program_of([mc.Linear(2000, 1000, rng=0)], (2000, 1, 1))  # 8 MB of weights
    resource = pytest.importorskip("resource")
    x = np.ones((1, program.inputs), np.float32)
    peaks = []
    for _ in range(2):
        for _ in range(25):
            made(engine, program, x, 1)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert peaks[1] - peaks[0] < 40_000  # KB; 25 plans that stay would hold 200,000
