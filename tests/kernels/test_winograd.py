"""Winograd's convolution: right, as exact as promised, and only where it is asked for."""

from __future__ import annotations

import dataclasses
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minicnn as mc
from minicnn import kernels
from minicnn.kernels import reference

from .arrays import family, levels
from .test_conv import Case, Inputs, run

Array = np.ndarray
ENGINES = [pytest.param(family(level, "conv"), id=level) for level in levels()]


@dataclasses.dataclass(frozen=True)
class Tiled(Case):
    """A case that is handed to the kernel with leave to go Winograd's way."""

    @property
    def arguments(self) -> Any:
        return (*super().arguments[:4], True)


def tiled(batch: int, channels: int, outputs: int, size: tuple[int, int], pad: Any) -> Tiled:
    return Tiled(
        batch=batch,
        groups=1,
        channels=channels,
        outputs=outputs,
        size=size,
        kernel=(3, 3),
        stride=(1, 1),
        padding=pad,
        dilation=(1, 1),
    )


SHAPES = [
    tiled(4, 32, 32, (32, 32), (1, 1)),
    tiled(5, 32, 64, (26, 26), (0, 0)),
    tiled(9, 64, 64, (16, 16), (1, 1)),
    tiled(13, 48, 17, (15, 13), (2, 0)),  # nothing divides
    tiled(2, 16, 50, (41, 37), (0, 2)),
    tiled(40, 28, 28, (7, 9), (1, 1)),
    tiled(1, 160, 16, (50, 50), (1, 1)),  # several bands to a picture
    tiled(1, 32, 32, (50, 47), (0, 0)),
    tiled(140, 33, 40, (6, 6), (0, 0)),  # the smallest output
]


def exact(case: Case, data: Inputs) -> dict[str, Array]:
    return run(reference, case, data.map(lambda a: a.astype(np.float64)))


def directly(engine: Any, case: Tiled, data: Inputs) -> dict[str, Array]:
    """The results of the same case, without leave to go Winograd's way."""
    return run(engine, Case(**vars(case)), data)


def error(results: dict[str, Array], truth: dict[str, Array]) -> dict[str, float]:
    """Root mean square of the error, as a share of that of the values."""
    return {
        name: float(np.sqrt(np.mean((results[name] - right) ** 2) / np.mean(right**2)))
        for name, right in truth.items()
    }


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", SHAPES, ids=str)
def test_it_is_right_and_within_four_times_the_direct_error(
    engine: ModuleType, case: Tiled
) -> None:
    data = Inputs.of(case, np.float32)
    truth = exact(case, data)
    direct = directly(engine, case, data)
    mine = run(engine, case, data)
    assert any(mine[name].tobytes() != direct[name].tobytes() for name in ("y", "dx", "dw"))
    theirs, ours = error(direct, truth), error(mine, truth)
    for name in truth:
        assert ours[name] < max(4 * theirs[name], 4e-7), (name, ours[name], theirs[name])
        largest = np.abs(truth[name]).max()
        assert np.abs(mine[name] - truth[name]).max() < 1e-5 * largest


@given(
    batch=st.integers(8, 40),
    channels=st.integers(16, 40),
    outputs=st.integers(48, 60),
    height=st.integers(6, 30),
    width=st.integers(6, 30),
    pad=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    threads=st.sampled_from([1, 2, 3, 7]),
)
def test_any_shape(
    batch: int,
    channels: int,
    outputs: int,
    height: int,
    width: int,
    pad: tuple[int, int],
    threads: int,
) -> None:
    if not kernels.info()["level"]:
        pytest.skip("runs with MINICNN_BACKEND=reference")
    case = tiled(batch, channels, outputs, (height, width), pad)
    data = Inputs.of(case, np.float32)
    for name, right in directly(kernels.engine, case, data).items():
        mine = run(kernels.engine, case, data, threads)[name]
        np.testing.assert_allclose(mine, right, atol=2e-5 * np.abs(right).max(), err_msg=name)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", SHAPES[:5], ids=str)
def test_threads_change_nothing(engine: ModuleType, case: Tiled) -> None:
    data = Inputs.of(case, np.float32)
    first = run(engine, case, data, 1)
    for threads in (2, 3, 7):
        for name, array in run(engine, case, data, threads).items():
            np.testing.assert_array_equal(array, first[name], err_msg=name)


@pytest.mark.parametrize("engine", ENGINES)
def test_groups(engine: ModuleType) -> None:
    case = dataclasses.replace(tiled(8, 32, 24, (20, 18), (1, 1)), groups=3)
    data = Inputs.of(case, np.float32)
    for name, right in exact(case, data).items():
        mine = run(engine, case, data)[name]
        np.testing.assert_allclose(mine, right, atol=1e-5 * np.abs(right).max(), err_msg=name)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        (dataclasses.replace(SHAPES[0], stride=(2, 1)), np.float32),
        (dataclasses.replace(SHAPES[0], dilation=(1, 2)), np.float32),
        (dataclasses.replace(SHAPES[0], kernel=(3, 5)), np.float32),
        (dataclasses.replace(SHAPES[0], padding=(3, 3)), np.float32),
        (dataclasses.replace(SHAPES[0], channels=8), np.float32),
        (dataclasses.replace(SHAPES[0], batch=1), np.float32),
        (SHAPES[0], np.float64),
    ],
    ids=str,
)
def test_what_does_not_suit_is_summed_directly(
    engine: ModuleType, case: Tiled, dtype: type
) -> None:
    data = Inputs.of(case, dtype)
    direct = directly(engine, case, data)
    for name, array in run(engine, case, data).items():
        np.testing.assert_array_equal(array, direct[name], err_msg=name)


def test_the_switch() -> None:
    layer = mc.Conv2D(32, 32, 3, padding=1, rng=0)
    x = np.random.default_rng(0).standard_normal((4, 32, 32, 32)).astype(np.float32)
    assert kernels.info()["winograd"] is kernels.winograd
    before = kernels.winograd
    try:
        kernels.set_winograd(False)
        direct = layer(x).numpy()
        kernels.set_winograd(True)
        tiles = layer(x).numpy()
        if kernels.info()["level"]:
            assert layer.algorithm(x.shape) == "winograd"
        assert layer.algorithm((1, 32, 32, 32)) == "direct"
        assert mc.Conv2D(32, 32, 3).astype("float64").algorithm(x.shape) == "direct"
        kernels.set_winograd(False)
        assert layer.algorithm(x.shape) == "direct"
    finally:
        kernels.set_winograd(before)
    np.testing.assert_allclose(tiles, direct, atol=1e-5)
    if kernels.info()["level"]:
        assert tiles.tobytes() != direct.tobytes()
    with pytest.raises(TypeError, match="set_winograd takes True or False, got 1"):
        kernels.set_winograd(1)  # type: ignore[arg-type]
