"""One of every layer, with an input shape, for the tests that hold for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from minicnn import (
    AvgPool2D,
    BatchNorm2D,
    Concat,
    Conv2D,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    LeakyReLU,
    Linear,
    MaxPool2D,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
)


@dataclass(frozen=True)
class Case:
    """A layer's maker, the (C, H, W) it takes, and whether it learns."""

    make: Callable[[], Layer]
    picture: tuple[int, int, int]


def _net() -> Layer:
    return Sequential(
        Conv2D(2, 4, 3, padding=1, rng=0),
        BatchNorm2D(4),
        ReLU(),
        Residual(Conv2D(4, 4, 3, padding=1, rng=1), ReLU()),
        Concat(MaxPool2D(2), Sequential(AvgPool2D(2), Conv2D(4, 3, 1, rng=2))),
        Flatten(),
        Linear(7 * 9, 5, rng=3),
    )


CASES = {
    "conv": Case(lambda: Conv2D(2, 3, 3, rng=0), (2, 6, 7)),
    "conv no bias": Case(lambda: Conv2D(2, 3, 3, bias=False, rng=0), (2, 6, 7)),
    "conv strided": Case(lambda: Conv2D(3, 2, (3, 2), stride=(2, 3), rng=0), (3, 8, 9)),
    "conv padded": Case(lambda: Conv2D(2, 4, (1, 3), padding=(0, 2), dilation=2, rng=0), (2, 5, 6)),
    "conv grouped": Case(lambda: Conv2D(4, 6, 3, groups=2, padding=1, rng=0), (4, 5, 5)),
    "conv depthwise": Case(lambda: Conv2D(4, 4, 3, groups=4, rng=0), (4, 5, 6)),
    "maxpool": Case(lambda: MaxPool2D(2), (2, 6, 7)),
    "maxpool overlapping": Case(lambda: MaxPool2D(3, 2, padding=1), (2, 7, 7)),
    "maxpool ceil": Case(lambda: MaxPool2D((2, 3), 2, ceil_mode=True), (2, 7, 8)),
    "maxpool dilated": Case(lambda: MaxPool2D(2, 1, dilation=(2, 3)), (1, 6, 7)),
    "avgpool": Case(lambda: AvgPool2D(2), (2, 6, 7)),
    "avgpool padded": Case(lambda: AvgPool2D(3, 2, padding=1, ceil_mode=True), (2, 6, 7)),
    "avgpool no pad": Case(lambda: AvgPool2D(3, 2, 1, count_include_pad=False), (2, 6, 7)),
    "gap": Case(GlobalAvgPool2D, (3, 4, 5)),
    "relu": Case(ReLU, (2, 3, 4)),
    "leaky": Case(lambda: LeakyReLU(0.1), (2, 3, 4)),
    "sigmoid": Case(Sigmoid, (2, 3, 4)),
    "tanh": Case(Tanh, (2, 3, 4)),
    "flatten": Case(Flatten, (2, 3, 4)),
    "linear": Case(lambda: Linear(24, 5, rng=0), (2, 3, 4)),
    "linear no bias": Case(lambda: Linear(6, 5, bias=False, rng=0), (6, 1, 1)),
    "batchnorm": Case(lambda: BatchNorm2D(3), (3, 4, 5)),
    "dropout": Case(lambda: Dropout(0.3, rng=0), (2, 3, 4)),
    "sequential": Case(lambda: Sequential(Conv2D(1, 2, 3, rng=0), ReLU(), MaxPool2D(2)), (1, 6, 6)),
    "empty sequential": Case(Sequential, (2, 3, 4)),
    "residual": Case(lambda: Residual(Conv2D(2, 2, 3, padding=1, rng=0), Tanh()), (2, 4, 5)),
    "residual shortcut": Case(
        lambda: Residual(Conv2D(2, 3, 3, 2, 1, rng=0), shortcut=Conv2D(2, 3, 1, 2, rng=1)),
        (2, 5, 5),
    ),
    "concat": Case(
        lambda: Concat(Conv2D(2, 3, 1, rng=0), Sequential(), Conv2D(2, 1, 3, padding=1, rng=1)),
        (2, 4, 5),
    ),
    "net": Case(_net, (2, 6, 6)),
}

ALL = [pytest.param(case, id=name) for name, case in CASES.items()]
