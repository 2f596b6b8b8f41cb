"""What the exercises of lesson 12, making it fast, must do."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType

import numpy as np

from ..layers import Conv2D, Linear, MaxPool2D
from ..museum.checks import same
from .exercise import Exercise, load
from .timing import medians

TIMES = 2  # as fast as the stub


def same_maxima(own: ModuleType) -> None:
    """Still right, for any sizes"""
    rng = np.random.default_rng(0)
    for shape in ((1, 1, 2, 2), (2, 3, 6, 8), (3, 1, 4, 10)):
        x = rng.normal(size=shape).astype(np.float32)
        kept = x.copy()
        same(f"y for {shape}", own.max_pool(x), MaxPool2D(2)(x).data)
        same("x afterwards", x, kept)


def twice_as_fast(own: ModuleType) -> None:
    """At least twice as fast: medians of 9, the two taking turns, three times in a row"""
    x = np.random.default_rng(0).normal(size=(8, 8, 32, 32)).astype(np.float32)
    stub = load(Path(__file__).parent / "stubs" / "12" / "faster.py")
    faster = inspect.unwrap(own.max_pool)  # nobody watches what it does to x: that takes time
    functions = {"before": lambda: stub.max_pool(x), "after": lambda: faster(x)}
    for _ in range(3):  # a machine that is busy may be lucky once
        before, after = medians(functions, rounds=9).values()
        ratio = before / after
        assert ratio >= TIMES, f"{ratio:.1f} times as fast, expected at least {TIMES}"


def counts_convolution(own: ModuleType) -> None:
    """Operations and bytes of a convolution"""
    for B, C, H, W, OC, k in ((2, 8, 20, 20, 16, 3), (1, 1, 5, 7, 2, 1)):
        conv = Conv2D(C, OC, k, bias=False)
        shape = (B, C, H, W)
        moved = 4 * (B * C * H * W + conv.weight.size + int(np.prod(conv.output_shape(shape))))
        what = f"(operations, bytes) for {B}×{C}×{H}×{W} and {OC} kernels {k}×{k}"
        same(what, own.convolution(B, C, H, W, OC, k), (2 * conv.multiply_adds(shape), moved))


def counts_linear(own: ModuleType) -> None:
    """Operations and bytes of a linear layer"""
    right = 2 * Linear(400, 120, bias=False).multiply_adds((64, 400, 1, 1))
    moved = 4 * (64 * 400 + 400 * 120 + 64 * 120)
    same(
        "(operations, bytes) for 64 pictures, 400 to 120", own.linear(64, 400, 120), (right, moved)
    )


def finds_the_limit(own: ModuleType) -> None:
    """The later of the two limits counts"""
    for operations, moved, seconds, what in (
        (1000, 10, 1.0, "arithmetic"),
        (10, 1000, 10.0, "memory"),
    ):
        got = own.limit(operations, moved, 1000.0, 100.0)
        assert got[1] == what, f"{operations} operations, {moved} bytes: {got[1]}, expected {what}"
        same(f"seconds for {operations} operations, {moved} bytes", got[0], seconds)


EXERCISES = (
    Exercise("faster", "Make max pooling twice as fast.", (same_maxima, twice_as_fast)),
    Exercise(
        "intensity",
        "Count operations and bytes of layers.",
        (counts_convolution, counts_linear, finds_the_limit),
    ),
)
