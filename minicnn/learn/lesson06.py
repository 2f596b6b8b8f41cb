"""What the exercises of lesson 6, pooling, must do."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from ..layers import AvgPool2D, MaxPool2D
from ..museum.checks import assert_gradient, same
from .exercise import Exercise

# The worked table of the series: a plane, windows 2×2 side by side, and the gradients that came.
X = np.array(
    [
        [-0.170, 0.137, -0.427, 0.699, -0.469, -0.523],
        [0.036, -0.434, 0.423, 1.875, 0.413, -0.573],
        [0.067, -1.014, 0.550, 0.133, 0.880, 1.036],
        [1.330, -1.025, -0.112, -1.763, 0.882, 0.181],
        [-0.367, 2.615, 0.254, -1.258, -0.470, 0.542],
        [0.708, 0.814, -0.118, 0.020, 0.535, -0.233],
    ]
)
DY = np.array([[-0.259, 1.209, 2.082], [0.959, 0.855, 1.922], [-0.099, -1.074, -0.616]])
SHAPES = ((6, 6, 2, 2), (7, 7, 3, 2), (5, 8, 3, 1), (4, 4, 1, 2))


def maxima_of_the_table(own: ModuleType) -> None:
    """Windows 2×2 of the worked table: the maxima"""
    y, _ = own.forward(X, 2, 2)
    same("y", y, [[0.137, 1.875, 0.413], [1.330, 0.550, 1.036], [2.615, 0.254, 0.542]])


def mask_of_the_table(own: ModuleType) -> None:
    """… and where they stand"""
    _, mask = own.forward(X, 2, 2)
    same("mask", mask, [[1, 9, 10], [18, 14, 17], [25, 26, 29]])


def gradients_of_the_table(own: ModuleType) -> None:
    """… and what each pixel gets back"""
    _, mask = own.forward(X, 2, 2)
    expected = np.zeros((6, 6))
    expected.flat[[1, 9, 10, 18, 14, 17, 25, 26, 29]] = DY.ravel()
    same("dx", own.backward(DY, mask, (6, 6)), expected)


def first_of_equals(own: ModuleType) -> None:
    """Of equal values the first wins"""
    _, mask = own.forward(np.ones((3, 3)), 3, 1)
    same("mask of nine equal values", mask, [[0]])


def all_negative(own: ModuleType) -> None:
    """All-negative windows have their maximum too"""
    y, mask = own.forward(-np.arange(1.0, 5).reshape(2, 2), 2, 2)
    same("y", y, [[-1]])
    same("mask", mask, [[0]])


def nine_payments(own: ModuleType) -> None:
    """A pixel that wins nine windows is paid nine times"""
    x = np.zeros((5, 5))
    x[2, 2] = 1
    _, mask = own.forward(x, 3, 1)
    dx = own.backward(np.ones((3, 3)), mask, (5, 5))
    same("dx", dx, 9 * x)


def max_as_the_layer(own: ModuleType) -> None:
    """Any size, window and stride: the same as MaxPool2D"""
    rng = np.random.default_rng(0)
    for H, W, k, s in SHAPES:
        pool, x = MaxPool2D(k, s), rng.integers(0, 9, (H, W)).astype(np.float64)
        y = pool(x[None, None]).data[0, 0]
        dy = rng.normal(size=y.shape)
        dx = pool.backward(dy[None, None])
        got, mask = own.forward(x, k, s)
        where = f" for {H}×{W}, window {k}, stride {s}"
        same("y" + where, got, y)
        same("dx" + where, own.backward(dy, mask, (H, W)), dx.data[0, 0] if dx else None)


def averages(own: ModuleType) -> None:
    """The averages of four windows"""
    same("y", own.forward(np.arange(16.0).reshape(4, 4), 2, 2), [[2.5, 4.5], [10.5, 12.5]])


def equal_shares(own: ModuleType) -> None:
    """Every pixel of a window gets the same share of its gradient"""
    dx = own.backward(np.array([[4.0, 8.0]]), (2, 4), 2, 2)
    same("dx", dx, [[1, 1, 2, 2], [1, 1, 2, 2]])


def shares_add_up(own: ModuleType) -> None:
    """Shares of windows that overlap add up"""
    dx = own.backward(np.array([[3.0, 3.0]]), (1, 2), 1, 1)
    same("dx of windows of one pixel", dx, [[3, 3]])
    dx = own.backward(np.array([[4.0, 4.0]]), (2, 3), 2, 1)
    same("dx of two windows that share a column", dx, [[1, 2, 1], [1, 2, 1]])


def average_as_the_layer(own: ModuleType) -> None:
    """Any size, window and stride: the same as AvgPool2D"""
    rng = np.random.default_rng(0)
    for H, W, k, s in SHAPES:
        pool, x = AvgPool2D(k, s), rng.normal(size=(H, W))
        y = pool(x[None, None]).data[0, 0]
        dy = rng.normal(size=y.shape)
        dx = pool.backward(dy[None, None])
        where = f" for {H}×{W}, window {k}, stride {s}"
        same("y" + where, own.forward(x, k, s), y)
        same("dx" + where, own.backward(dy, (H, W), k, s), dx.data[0, 0] if dx else None)


def negative_border(own: ModuleType) -> None:
    """An input of −1 has maxima of −1, at the border too"""
    same("y", own.Pool3()(np.full((1, 1, 4, 4), -1.0)).data, np.full((1, 1, 2, 2), -1.0))


def pool3_gradient(own: ModuleType) -> None:
    """Backward is the derivative of forward"""
    x = np.random.default_rng(0).normal(size=(2, 2, 7, 7))
    assert_gradient(own.Pool3(), x)


EXERCISES = (
    Exercise(
        "max_pooling",
        "Write max pooling: window maximum, mask, gradients back through the mask.",
        (
            maxima_of_the_table,
            mask_of_the_table,
            gradients_of_the_table,
            first_of_equals,
            all_negative,
            nine_payments,
            max_as_the_layer,
        ),
    ),
    Exercise(
        "average_pooling",
        "Write average pooling, which needs no mask.",
        (averages, equal_shares, shares_add_up, average_as_the_layer),
    ),
    Exercise("planted_bug", "Find two planted bugs in a layer.", (negative_border, pool3_gradient)),
)
