"""A steady training step allocates nothing above 64 KB, neither in Python nor in the kernels."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from minicnn import (
    SGD,
    AvgPool2D,
    BatchNorm2D,
    Concat,
    Conv2D,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Linear,
    MaxPool2D,
    ReLU,
    Residual,
    Sequential,
    SoftmaxCrossEntropy,
    kernels,
)

pytestmark = pytest.mark.skipif(
    kernels.info()["engine"] == "reference", reason="the NumPy engine makes temporaries"
)


def every_container() -> Sequential:
    return Sequential(
        Conv2D(3, 8, 5, stride=2, rng=0),
        ReLU(),
        MaxPool2D(2),
        Residual(Conv2D(8, 8, 3, padding=1, groups=2, rng=1), ReLU(), Dropout(0.1, rng=0)),
        Concat(Conv2D(8, 8, 1, rng=2), Sequential(ReLU())),
        Flatten(),
        Linear(16 * 7 * 7, 10, rng=3),
    )


def wide() -> Sequential:
    """Convolutions of so many channels that they go Winograd's way where they may."""
    return Sequential(
        Conv2D(3, 32, 3, padding=1, rng=0),
        BatchNorm2D(32),
        ReLU(),
        Conv2D(32, 32, 3, padding=1, rng=1),
        BatchNorm2D(32),
        ReLU(),
        MaxPool2D(3, stride=2),
        Conv2D(32, 64, 3, padding=1, rng=2),
        ReLU(),
        AvgPool2D(2),
        Flatten(),
        Linear(64 * 7 * 7, 128, rng=3),
        ReLU(),
        Linear(128, 10, rng=4),
    )


def deep_and_low() -> Sequential:
    """Many channels of few pixels: the tables of offsets are long here."""
    return Sequential(
        MaxPool2D(16),
        Conv2D(3, 512, 1, rng=0),
        BatchNorm2D(512),
        Conv2D(512, 64, 3, padding=1, rng=1),
        GlobalAvgPool2D(),
        Flatten(),
        Linear(64, 10, rng=2),
    )


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("winograd", [True, False])
@pytest.mark.parametrize("make", [every_container, wide, deep_and_low])
def test_a_steady_training_step_allocates_nothing_large(
    make: Callable[[], Sequential],
    winograd: bool,
    threads: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernels.set_num_threads(threads)
    monkeypatch.setattr(kernels, "winograd", winograd)
    net, loss = make(), SoftmaxCrossEntropy()
    optimizer = SGD(net.parameters(), lr=0.01, momentum=0.9)
    x = np.random.default_rng(0).standard_normal((10, 3, 32, 32)).astype(np.float32)
    labels = np.arange(10)

    def step() -> None:
        loss(net(x), labels)
        net.zero_grad()
        net.backward(loss.backward(), need_dx=False)
        optimizer.step()

    step()
    step()
    tracemalloc.start()
    try:
        step()
        base = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        step()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - base < 64 * 1024


def test_the_wide_net_goes_winograds_way() -> None:
    pair = (1, 1)
    shapes = (10, 32, 32, 32), (32, 32, 3, 3), (10, 32, 32, 32)
    assert kernels.engine.conv2d_suits_winograd(*shapes, pair, pair, pair, 1)
