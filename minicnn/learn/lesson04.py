"""What the exercises of lesson 4, convolution backward, must do."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from ..layers import Conv2D
from ..museum.checks import same
from .exercise import Exercise

X = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0], [2.0, 0.0, 1.0]])
W = np.array([[1.0, -1.0], [2.0, 0.0]])
DY = np.array([[1.0, -2.0], [3.0, 0.5]])


def answers(H: int, K: tuple[int, int], s: int, seed: int = 0) -> tuple[Any, ...]:
    """x, w and dy at random for a plane H×(H+1), and what the layer says of them: dx, dw."""
    rng = np.random.default_rng(seed)
    layer = Conv2D(1, 1, K, s, bias=False, rng=rng).astype(np.float64)
    x = rng.normal(size=(1, 1, H, H + 1))
    dy = rng.normal(size=layer(x).shape)
    dx = layer.backward(dy)
    assert dx is not None
    return (
        x[0, 0],
        layer.weight.data[0, 0],
        dy[0, 0],
        dx.data[0, 0],
        layer.weight.grad[0, 0],  # type: ignore[index]
    )


def weight_of_the_lesson(own: ModuleType) -> None:
    """The lesson's numbers: what each weight collects"""
    same("dw", own.backward_weight(DY, X, (2, 2), 1), [[-2.5, 6.5], [4.0, -4.5]])


def input_of_the_lesson(own: ModuleType) -> None:
    """… and each pixel"""
    expected = [[1, -3, 2], [5, -6.5, -0.5], [6, 1, 0]]
    same("dx", own.backward_input(DY, W, (3, 3), 1), expected)


def any_kernel(own: ModuleType) -> None:
    """Kernels that are not square"""
    for K in ((2, 3), (3, 2), (1, 4)):
        x, w, dy, dx, dw = answers(6, K, 1)
        same(f"dw for a kernel of {K[0]}×{K[1]}", own.backward_weight(dy, x, K, 1), dw)
        same(f"dx for a kernel of {K[0]}×{K[1]}", own.backward_input(dy, w, x.shape, 1), dx)


def any_stride(own: ModuleType) -> None:
    """Strides, those too that do not divide"""
    for H, s in ((5, 2), (6, 2), (8, 3), (9, 4)):
        x, w, dy, dx, dw = answers(H, (3, 3), s)
        where = f"for {H}×{H + 1}, stride {s}"
        same(f"dw {where}", own.backward_weight(dy, x, (3, 3), s), dw)
        same(f"dx {where}", own.backward_input(dy, w, x.shape, s), dx)


def unseen_pixels(own: ModuleType) -> None:
    """What no window has seen has gradient 0"""
    dx = own.backward_input(np.ones((2, 2)), np.ones((3, 3)), (6, 6), 2)
    same("the last row of dx", np.asarray(dx)[5], np.zeros(6))


def with_channels(own: ModuleType, part: int, name: str) -> None:
    rng = np.random.default_rng(0)
    for B, C, O in ((1, 1, 1), (2, 3, 4)):  # noqa: E741
        layer = Conv2D(C, O, (2, 3), rng=rng).astype(np.float64)
        x = rng.normal(size=(B, C, 5, 6))
        dy = rng.normal(size=layer(x).shape)
        dx = layer.backward(dy)
        assert dx is not None
        assert layer.bias is not None
        expected = (dx.data, layer.weight.grad, layer.bias.grad)[part]
        got = own.backward(dy, x, layer.weight.data)[part]
        same(f"{name} for {B} pictures, {C} channels in, {O} out", got, expected)


def channels_dx(own: ModuleType) -> None:
    """dx sums over output channels"""
    with_channels(own, 0, "dx")


def channels_dw(own: ModuleType) -> None:
    """dw sums over pictures and places"""
    with_channels(own, 1, "dw")


def channels_db(own: ModuleType) -> None:
    """The bias collects every gradient of its channel"""
    with_channels(own, 2, "dbias")


def odd_and_square(own: ModuleType) -> None:
    """Odd sizes, square kernel, stride 2: as before"""
    rng = np.random.default_rng(0)
    w, dy = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    expected = np.zeros((7, 7))
    for i, j in np.ndindex(3, 3):
        expected[2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += dy[i, j] * w
    same("dx", own.backward_input(dy, w, (7, 7), 2), expected)


def even_sizes(own: ModuleType) -> None:
    """Sizes that the stride does not divide"""
    for H in (6, 8):
        x, w, dy, dx, _ = answers(H, (3, 3), 2)
        same(f"dx for {H}×{H + 1}", own.backward_input(dy, w, x.shape, 2), dx)


def not_square(own: ModuleType) -> None:
    """A kernel of 2×3"""
    x, w, dy, dx, _ = answers(6, (2, 3), 1)
    same("dx", own.backward_input(dy, w, x.shape, 1), dx)


EXERCISES = (
    Exercise(
        "conv_backward",
        "Write both gradients of a convolution of one plane.",
        (weight_of_the_lesson, input_of_the_lesson, any_kernel, any_stride, unseen_pixels),
    ),
    Exercise(
        "channels",
        "Write all three gradients for batches with channels.",
        (channels_dx, channels_dw, channels_db),
    ),
    Exercise(
        "planted_bug",
        "Mend two lines of an input gradient.",
        (odd_and_square, even_sizes, not_square),
    ),
)
