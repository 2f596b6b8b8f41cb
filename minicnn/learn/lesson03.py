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


def expected(x: Any, w: Any, bias: Any, s: int = 1, p: int = 0) -> Any:
    """What the layer says."""
    O, C = w.shape[:2]  # noqa: E741
    layer = Conv2D(C, O, w.shape[2:], s, p, rng=0).astype(np.float64)
    layer.load_state_dict({"weight": w, "bias": bias})
    return layer(x).data


def edges_of_the_lesson(own: ModuleType) -> None:
    """The lesson's bar: where it gets brighter, and where darker"""
    y = own.forward(BAR[None, None], EDGE[None, None], np.zeros(1), 1, 0)
    same("y", y, [[[[3, 3, -3]] * 3]])


def adds_bias(own: ModuleType) -> None:
    """The bias is added once, not once a tap or channel"""
    y = own.forward(np.zeros((1, 2, 3, 3)), np.ones((2, 2, 2, 2)), np.array([5.0, -1.0]), 1, 0)
    same("y", y, [[np.full((2, 2), 5.0), np.full((2, 2), -1.0)]])


def any_channels(own: ModuleType) -> None:
    """Batches, channels, kernels that are not square: the same as Conv2D"""
    rng = np.random.default_rng(0)
    for B, C, O, K in ((2, 3, 4, (3, 3)), (1, 2, 1, (2, 3)), (3, 1, 2, (1, 1))):  # noqa: E741
        x, w, bias = rng.normal(size=(B, C, 6, 7)), rng.normal(size=(O, C, *K)), rng.normal(size=O)
        where = f"y for {B} pictures, {C} channels in, {O} out, kernel {K[0]}×{K[1]}"
        same(where, own.forward(x, w, bias, 1, 0), expected(x, w, bias))


def any_stride_and_padding(own: ModuleType) -> None:
    """Strides and padding: the same as Conv2D"""
    rng = np.random.default_rng(0)
    x, w, bias = rng.normal(size=(2, 2, 7, 6)), rng.normal(size=(3, 2, 3, 3)), rng.normal(size=3)
    for s, p in ((2, 0), (1, 1), (2, 1), (3, 2)):
        same(
            f"y with stride {s}, padding {p}",
            own.forward(x, w, bias, s, p),
            expected(x, w, bias, s, p),
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


def plain_windows(own: ModuleType) -> None:
    """Windows of 3, stride 1: two fewer than pixels"""
    counted(own, [(size, 3, 1, 0, 1) for size in (3, 5, 28)])


def other_windows(own: ModuleType) -> None:
    """Windows of 1, 2 and 5"""
    counted(own, [(9, k, 1, 0, 1) for k in (1, 2, 5)])


def padded_windows(own: ModuleType) -> None:
    """Padding makes the plane larger"""
    counted(own, [(28, 3, 1, 1, 1), (5, 5, 1, 2, 1)])


def strided_windows(own: ModuleType) -> None:
    """Strides, those too that do not divide"""
    counted(own, [(7, 3, 2, 0, 1), (8, 3, 2, 0, 1), (28, 3, 2, 1, 1), (10, 4, 3, 0, 1)])


def dilated_windows(own: ModuleType) -> None:
    """Dilation stretches the window"""
    counted(own, [(9, 3, 1, 0, 2), (28, 3, 1, 0, 4), (9, 3, 2, 1, 2)])


def counted(own: ModuleType, cases: list[tuple[int, int, int, int, int]]) -> None:
    for size, k, s, p, d in cases:
        right = len([top for top in range(-p, size + p - d * (k - 1)) if (top + p) % s == 0])
        what = f"size {size}, window {k}, stride {s}, padding {p}, dilation {d}: windows"
        same(what, own.windows(size, k, s, p, d), right)


EXERCISES = (
    Exercise(
        "convolution",
        "Write convolution for batches with channels, stride and padding.",
        (edges_of_the_lesson, adds_bias, any_channels, any_stride_and_padding),
    ),
    Exercise(
        "by_matmul",
        "Write im2col, and convolution as one matrix product.",
        (first_column, any_columns, product_is_convolution),
    ),
    Exercise(
        "planted_bug",
        "Mend the formula for the number of windows.",
        (plain_windows, other_windows, padded_windows, strided_windows, dilated_windows),
    ),
)
