"""What the exercises of lesson 4, convolution backward, must do."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from ..layers import Conv2D
from ..museum.checks import same
from .exercise import Exercise, kind

X = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0], [2.0, 0.0, 1.0]])
W = np.array([[1.0, -1.0], [2.0, 0.0]])
DY = np.array([[1.0, -2.0], [3.0, 0.5]])


class Counted(np.ndarray[Any, Any]):
    """An array that counts how often it is indexed, or what comes of it."""

    reads = 0

    def __getitem__(self, key: Any) -> Any:
        Counted.reads += 1
        return super().__getitem__(key)


def answers(H: int, K: tuple[int, int], s: int, p: int = 0, d: int = 1) -> tuple[Any, ...]:
    """x, w and dy at random for a plane H×(H+1), and what the layer says of them: dx, dw."""
    rng = np.random.default_rng(0)
    layer = Conv2D(1, 1, K, s, p, d, bias=False, rng=rng).astype(np.float64)
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
    same("dw", own.backward_weight(DY, X, (2, 2), 1, 0, 1), [[-2.5, 6.5], [4.0, -4.5]])


def input_of_the_lesson(own: ModuleType) -> None:
    """… and each pixel"""
    expected = [[1, -3, 2], [5, -6.5, -0.5], [6, 1, 0]]
    same("dx", own.backward_input(DY, W, (3, 3), 1, 0, 1), expected)


def as_the_layer(
    own: ModuleType, where: str, H: int, K: tuple[int, int], s: int, p: int = 0, d: int = 1
) -> None:
    x, w, dy, dx, dw = answers(H, K, s, p, d)
    same(f"dw {where}", own.backward_weight(dy, x, K, s, p, d), dw)
    same(f"dx {where}", own.backward_input(dy, w, x.shape, s, p, d), dx)


def any_kernel(own: ModuleType) -> None:
    """Kernels that are not square"""
    for K in ((2, 3), (3, 2), (1, 4)):
        as_the_layer(own, f"for a kernel of {K[0]}×{K[1]}", 6, K, 1)


def any_stride(own: ModuleType) -> None:
    """Strides, including those that do not divide"""
    for H, s in ((5, 2), (6, 2), (8, 3), (9, 4)):
        as_the_layer(own, f"for {H}×{H + 1}, stride {s}", H, (3, 3), s)


def any_padding(own: ModuleType) -> None:
    """Padding and dilation"""
    for s, p, d in ((1, 1, 1), (2, 2, 1), (1, 0, 2), (2, 1, 2), (3, 2, 2)):
        as_the_layer(own, f"for stride {s}, padding {p}, dilation {d}", 8, (3, 2), s, p, d)


def unseen_pixels(own: ModuleType) -> None:
    """What no window has seen has gradient 0"""
    dx = own.backward_input(np.ones((2, 2)), np.ones((3, 3)), (6, 6), 2, 0, 1)
    same("the last row of dx", np.asarray(dx)[5], np.zeros(6))


def taps_only(own: ModuleType) -> None:
    """No loop over windows: a larger plane takes no more turns"""
    counts = []
    for H in (6, 16):
        x, w, dy, _, _ = (array.view(Counted) for array in answers(H, (2, 3), 2))
        Counted.reads = 0
        own.backward_input(dy, w, x.shape, 2, 0, 1)
        own.backward_weight(dy, x, (2, 3), 2, 0, 1)
        counts.append(Counted.reads)
    small, large = counts
    assert small == large, (
        f"dy, w and x are indexed {small} times for 6×7 pixels and {large} times for 16×17; "
        f"loop over the taps only"
    )


def with_channels(own: ModuleType, part: int, name: str) -> None:
    rng = np.random.default_rng(0)
    for B, C, O in ((1, 1, 1), (2, 3, 4)):  # noqa: E741
        layer = Conv2D(C, O, (2, 3), rng=rng).astype(np.float64)
        x = rng.normal(size=(B, C, 5, 6))
        dy = rng.normal(size=layer(x).shape)
        dx = layer.backward(dy)
        assert dx is not None
        assert layer.bias is not None
        expected: tuple[Any, ...] = (dx.data, layer.weight.grad, layer.bias.grad)
        got = own.backward(dy, x, layer.weight.data)
        assert isinstance(got, (tuple, list)) and len(got) == 3, (
            f"backward must return three arrays, (dx, dw, dbias); it returned {kind(got)}"
        )
        came, wanted = ([np.shape(array) for array in arrays] for arrays in (got, expected))
        assert came == wanted or sorted(came) != sorted(wanted), (
            f"the order must be (dx, dw, dbias), of shapes {', '.join(map(str, wanted))}; "
            f"what came is exchanged: {', '.join(map(str, came))}"
        )
        same(f"{name} for B, C, O = {B}, {C}, {O}", got[part], expected[part])


def channels_dx(own: ModuleType) -> None:
    """dx sums over output channels"""
    with_channels(own, 0, "dx")


def channels_dw(own: ModuleType) -> None:
    """dw sums over pictures and places"""
    with_channels(own, 1, "dw")


def channels_db(own: ModuleType) -> None:
    """The bias collects every gradient of its channel"""
    with_channels(own, 2, "dbias")


def divided_and_square(own: ModuleType) -> None:
    """5×5, and some others, stay right"""
    rng = np.random.default_rng(0)
    for size, K, n in ((5, 3, 2), (7, 3, 3), (6, 2, 3), (8, 4, 3)):
        w, dy = rng.normal(size=(K, K)), rng.normal(size=(n, n))
        expected = np.zeros((size, size))
        for i, j in np.ndindex(n, n):
            expected[2 * i : 2 * i + K, 2 * j : 2 * j + K] += dy[i, j] * w
        what = f"dx for {size}×{size}, a kernel of {K}×{K}, stride 2"
        same(what, own.backward_input(dy, w, (size, size), 2), expected)


def not_divided(own: ModuleType) -> None:
    """Other planes"""
    for H, K in ((6, 3), (8, 3), (5, 2), (7, 4)):
        x, w, dy, dx, _ = answers(H, (K, K), 2)
        what = f"dx for {H}×{H + 1}, a kernel of {K}×{K}, stride 2"
        same(what, own.backward_input(dy, w, x.shape, 2), dx)


def not_square(own: ModuleType) -> None:
    """Other kernels"""
    x, w, dy, dx, _ = answers(6, (2, 3), 1)
    same("dx for a kernel of 2×3, stride 1", own.backward_input(dy, w, x.shape, 1), dx)


EXERCISES = (
    Exercise(
        "conv_backward",
        "Write both gradients of a convolution of one plane, with a loop over the taps only.",
        (
            weight_of_the_lesson,
            input_of_the_lesson,
            any_kernel,
            any_stride,
            any_padding,
            unseen_pixels,
            taps_only,
        ),
    ),
    Exercise(
        "channels",
        "Write all three gradients for batches with channels.",
        (channels_dx, channels_dw, channels_db),
    ),
    Exercise(
        "planted_bug",
        "Mend two lines of an input gradient.",
        (divided_and_square, not_divided, not_square),
    ),
)
