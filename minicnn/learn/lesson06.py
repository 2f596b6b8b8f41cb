"""What the exercises of lesson 6, pooling, must do."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..layers import AvgPool2D, MaxPool2D
from ..museum.checks import assert_gradient, same
from .exercise import Exercise, kind

Plane = npt.NDArray[Any]

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
SHAPES = ((6, 6, 2, 2), (7, 7, 3, 2), (5, 8, 3, 1), (4, 4, 1, 2))  # H, W, window, stride
PADDED = ((6, 6, 2, 2, 1), (7, 7, 3, 2, 1), (4, 7, 5, 2, 2))  # … and padding
NEGATIVE = (-1.0, -1e6)  # padding that is anything else than −∞ wins over the second, if not before


def forward(own: ModuleType, x: Plane, k: int, s: int, p: int = 0) -> tuple[Plane, Plane]:
    """(y, mask) of the reader's function; of a plane H×W those of its only plane.

    Raises:
        AssertionError: it returns anything else than two values.
    """
    result = own.forward(x if x.ndim == 4 else x[None, None], k, s, p)
    assert result is not None, "forward returned None: is `return` missing?"
    two = isinstance(result, (tuple, list)) and len(result) == 2
    assert two, f"forward must return two arrays, (y, mask); it returned {kind(result)}"
    y, mask = result
    if x.ndim == 2:
        for name, got in (("y", y), ("mask", mask)):
            shape = np.shape(got)
            assert len(shape) == 4, f"{name}: shape {shape}, expected four axes, B×C×OH×OW"
        return y[0, 0], mask[0, 0]
    return y, mask


def backward(own: ModuleType, dy: Plane, mask: Plane, shape: tuple[int, int]) -> Plane:
    """dx of one plane."""
    dx = own.backward(dy[None, None], mask[None, None], (1, 1, *shape))
    same("the shape of dx", np.shape(dx), (1, 1, *shape))
    plane: Plane = dx[0, 0]
    return plane


def maxima_of_the_table(own: ModuleType) -> None:
    """Windows 2×2 of the worked table: the maxima"""
    y, _ = forward(own, X, 2, 2)
    same("y", y, [[0.137, 1.875, 0.413], [1.330, 0.550, 1.036], [2.615, 0.254, 0.542]])


def mask_of_the_table(own: ModuleType) -> None:
    """… and where they stand"""
    _, mask = forward(own, X, 2, 2)
    same("mask", mask, [[1, 9, 10], [18, 14, 17], [25, 26, 29]])


def gradients_of_the_table(own: ModuleType) -> None:
    """… and what each pixel gets back"""
    _, mask = forward(own, X, 2, 2)
    expected = np.zeros((6, 6))
    expected.flat[[1, 9, 10, 18, 14, 17, 25, 26, 29]] = DY.ravel()
    same("dx", backward(own, DY, mask, (6, 6)), expected)


def first_of_equals(own: ModuleType) -> None:
    """Of equal values the first wins"""
    _, mask = forward(own, np.ones((3, 3)), 3, 1)
    same("mask of nine equal values", mask, [[0]])


def negative_padding(own: ModuleType) -> None:
    """Where all values are negative the padding does not win"""
    for value in NEGATIVE:
        y, mask = forward(own, np.full((4, 4), value), 3, 2, 1)
        same(f"y of an input of {value:.0f}, padding 1", y, np.full((2, 2), value))
        same(f"mask of an input of {value:.0f}, padding 1", mask, [[0, 1], [4, 5]])


def nine_payments(own: ModuleType) -> None:
    """A pixel that wins nine windows is paid nine times"""
    x = np.zeros((5, 5))
    x[2, 2] = 1
    _, mask = forward(own, x, 3, 1)
    same("dx", backward(own, np.ones((3, 3)), mask, (5, 5)), 9 * x)


def max_as_the_layer(own: ModuleType) -> None:
    """A batch with channels, any window, stride and padding: the same as MaxPool2D"""
    rng = np.random.default_rng(0)
    for H, W, k, s, p in (*((*sizes, 0) for sizes in SHAPES), *PADDED):
        pool, x = MaxPool2D(k, s, p), rng.integers(-9, 9, (2, 3, H, W)).astype(np.float64)
        y = pool(x).data
        dy = rng.normal(size=y.shape)
        dx = pool.backward(dy)
        assert dx is not None
        got, mask = forward(own, x, k, s, p)
        where = f" for 2×3×{H}×{W}, window {k}, stride {s}, padding {p}"
        same("y" + where, got, y)
        same("dx" + where, own.backward(dy, mask, x.shape), dx.data)


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
    """Where all values are negative so are all maxima, at the border too"""
    for value in NEGATIVE:
        y = own.Pool3()(np.full((1, 1, 4, 4), value)).data
        same(f"y of an input of {value:.0f}", y, np.full((1, 1, 2, 2), value))


def pool3_maxima(own: ModuleType) -> None:
    """The maxima of any plane: the same as MaxPool2D"""
    for H, W in ((7, 7), (6, 7), (9, 6)):
        x = np.random.default_rng(0).normal(size=(2, 3, H, W))
        same(f"y for 2×3×{H}×{W}", own.Pool3()(x).data, MaxPool2D(3, 2, 1)(x).data)


def pool3_square(own: ModuleType) -> None:
    """Backward is the derivative of forward, on square planes"""
    assert_gradient(own.Pool3(), np.random.default_rng(0).normal(size=(2, 2, 7, 7)))


def pool3_oblong(own: ModuleType) -> None:
    """… and on others"""
    assert_gradient(own.Pool3(), np.random.default_rng(0).normal(size=(2, 2, 6, 7)), "6×7: ")


def pool3_ties(own: ModuleType) -> None:
    """Of equal values the first is paid"""
    pool = own.Pool3()
    pool(np.ones((1, 1, 2, 2)))
    dx = pool.backward(np.ones((1, 1, 1, 1)))
    same("dx of four equal values", None if dx is None else dx.data[0, 0], [[1, 0], [0, 0]])


EXERCISES = (
    Exercise(
        "max_pooling",
        "Write max pooling of a batch, with padding: maxima, mask, gradients back to the winners.",
        (
            maxima_of_the_table,
            mask_of_the_table,
            gradients_of_the_table,
            first_of_equals,
            negative_padding,
            nine_payments,
            max_as_the_layer,
        ),
    ),
    Exercise(
        "average_pooling",
        "Write average pooling, which needs no mask.",
        (averages, equal_shares, shares_add_up, average_as_the_layer),
    ),
    Exercise(
        "planted_bug",
        "Find three planted bugs in a layer.",
        (negative_border, pool3_maxima, pool3_square, pool3_oblong, pool3_ties),
    ),
)
