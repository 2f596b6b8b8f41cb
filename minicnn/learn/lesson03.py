"""What the exercises of lesson 3, convolution forward, must do."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from ..layers import Conv2D
from ..museum.checks import same
from .exercise import Exercise

BAR = np.array([[0.0, 0, 1, 1, 0]] * 5)
EDGE = np.array([[-1.0, 0, 1]] * 3)


def expected(x: Any, w: Any, bias: Any, s: int = 1, p: int = 0, d: int = 1) -> Any:
    """What the layer says."""
    O, C = w.shape[:2]  # noqa: E741
    layer = Conv2D(C, O, w.shape[2:], s, p, d, rng=0).astype(np.float64)
    layer.load_state_dict({"weight": w, "bias": bias})
    return layer(x).data


def edges_of_the_lesson(own: ModuleType) -> None:
    """The lesson's bar: where it gets brighter, and where darker"""
    y = own.forward(BAR[None, None], EDGE[None, None], np.zeros(1), 1, 0, 1)
    same("y", y, [[[[3, 3, -3]] * 3]])


def adds_bias(own: ModuleType) -> None:
    """The bias is added once, not once a tap or channel"""
    x, w, bias = np.zeros((1, 2, 3, 3)), np.ones((2, 2, 2, 2)), np.array([5.0, -1.0])
    y = own.forward(x, w, bias, 1, 0, 1)
    same("y", y, [[np.full((2, 2), 5.0), np.full((2, 2), -1.0)]])


def any_channels(own: ModuleType) -> None:
    """Batches, channels, kernels that are not square: the same as Conv2D"""
    rng = np.random.default_rng(0)
    for B, C, O, K in ((2, 3, 4, (3, 3)), (1, 2, 1, (2, 3)), (3, 1, 2, (1, 1))):  # noqa: E741
        x, w, bias = rng.normal(size=(B, C, 6, 7)), rng.normal(size=(O, C, *K)), rng.normal(size=O)
        where = f"y for {B} pictures, {C} channels in, {O} out, kernel {K[0]}×{K[1]}"
        same(where, own.forward(x, w, bias, 1, 0, 1), expected(x, w, bias))


def any_stride_and_padding(own: ModuleType) -> None:
    """Strides and padding: the same as Conv2D"""
    compared(own, ((2, 0, 1), (1, 1, 1), (2, 1, 1), (3, 2, 1)))


def any_dilation(own: ModuleType) -> None:
    """Dilation, alone and with the others: the same as Conv2D"""
    compared(own, ((1, 0, 2), (1, 2, 3), (2, 1, 2)))


def compared(own: ModuleType, ways: tuple[tuple[int, int, int], ...]) -> None:
    rng = np.random.default_rng(0)
    x, w, bias = rng.normal(size=(2, 2, 7, 6)), rng.normal(size=(3, 2, 3, 2)), rng.normal(size=3)
    for s, p, d in ways:
        same(
            f"y with stride {s}, padding {p}, dilation {d}",
            own.forward(x, w, bias, s, p, d),
            expected(x, w, bias, s, p, d),
        )


def first_column(own: ModuleType) -> None:
    """A plane of 0 to 11: its columns"""
    columns = own.im2col(np.arange(12.0).reshape(1, 3, 4), (2, 2), 1)
    same(
        "columns",
        columns,
        [[0, 1, 2, 4, 5, 6], [1, 2, 3, 5, 6, 7], [4, 5, 6, 8, 9, 10], [5, 6, 7, 9, 10, 11]],
    )


def any_columns(own: ModuleType) -> None:
    """Columns for any kernel and stride"""
    x = np.random.default_rng(0).normal(size=(2, 6, 7))
    for (KH, KW), s in (((2, 3), 1), ((3, 2), 2), ((1, 4), 3)):
        OH, OW = (6 - KH) // s + 1, (7 - KW) // s + 1
        windows = np.lib.stride_tricks.sliding_window_view(x, (KH, KW), axis=(1, 2))[:, ::s, ::s]
        right = windows.transpose(0, 3, 4, 1, 2).reshape(2 * KH * KW, OH * OW)
        same(f"columns for a kernel of {KH}×{KW}, stride {s}", own.im2col(x, (KH, KW), s), right)


def product_is_convolution(own: ModuleType) -> None:
    """Weights times columns: the same as Conv2D"""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(3, 8, 7)), rng.normal(size=(4, 3, 2, 3))
    for s in (1, 2):
        right = expected(x[None], w, np.zeros(4), s)[0]
        same(f"y with stride {s}", own.forward(x, w, s), right)


def as_tried(own: ModuleType) -> None:
    """A kernel of 3×3 and no padding, as before"""
    x, w = np.random.default_rng(0).normal(size=(7, 8)), np.arange(9.0).reshape(3, 3)
    for s in (1, 2):
        same(f"y with stride {s}", own.forward(x, w, s, 0), one_plane(x, w, s, 0))


def other_kernels(own: ModuleType) -> None:
    """Kernels of other shapes"""
    x = np.random.default_rng(0).normal(size=(7, 8))
    for KH, KW in ((2, 2), (2, 3), (3, 1), (1, 4)):
        w = np.arange(1.0, KH * KW + 1).reshape(KH, KW)
        same(f"y for a kernel of {KH}×{KW}", own.forward(x, w, 1, 0), one_plane(x, w, 1, 0))


def nothing_beyond_the_border(own: ModuleType) -> None:
    """A 3×3 kernel, padding 1: a pixel in a corner is seen by the four windows about it alone"""
    for row, column in ((0, 0), (4, 4), (4, 0), (0, 4)):
        x = np.zeros((5, 5))
        x[row, column] = 1
        border = np.pad(x, 1)
        right = np.sum([border[u : u + 5, v : v + 5] for u in range(3) for v in range(3)], axis=0)
        y = own.forward(x, np.ones((3, 3)), 1, 1)
        same(f"for a pixel at ({row}, {column}), y", y, right)


def everything(own: ModuleType) -> None:
    """Any kernel, stride and padding: the same as Conv2D"""
    rng = np.random.default_rng(0)
    for (KH, KW), s, p in (((3, 3), 1, 2), ((2, 3), 2, 1), ((4, 2), 3, 1), ((3, 5), 1, 2)):
        x, w = rng.normal(size=(6, 7)), rng.normal(size=(KH, KW))
        where = f"y for a kernel of {KH}×{KW}, stride {s}, padding {p}"
        same(where, own.forward(x, w, s, p), one_plane(x, w, s, p))


def one_plane(x: Any, w: Any, s: int, p: int) -> Any:
    """What the layer says of one plane."""
    return expected(x[None, None], w[None, None], np.zeros(1), s, p)[0, 0]


EXERCISES = (
    Exercise(
        "convolution",
        "Write convolution for batches with channels, stride, padding and dilation.",
        (edges_of_the_lesson, adds_bias, any_channels, any_stride_and_padding, any_dilation),
    ),
    Exercise(
        "by_matmul",
        "Write im2col, and convolution as one matrix product.",
        (first_column, any_columns, product_is_convolution),
    ),
    Exercise(
        "planted_bug",
        "Mend two mistakes in the convolution of a plane.",
        (as_tried, other_kernels, nothing_beyond_the_border, everything),
    ),
)
