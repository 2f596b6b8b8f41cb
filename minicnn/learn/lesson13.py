"""What the exercises of lesson 13, Residual and Concat, must do."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from .. import layers
from ..museum.checks import assert_gradient, same
from .exercise import Exercise


class OnArrays:
    """A layer for the reader's containers: arrays in, arrays out, in float64."""

    def __init__(self, layer: layers.Layer) -> None:
        self.layer = layer.astype(np.float64)

    def forward(self, x: Any) -> Any:
        return self.layer.forward(np.asarray(x)).data

    def backward(self, dy: Any) -> Any:
        dx = self.layer.backward(np.ascontiguousarray(dy))
        assert dx is not None
        return dx.data


def convolutions(rng: int) -> tuple[layers.Layer, layers.Layer, layers.Layer]:
    """Three layers from 3 channels to 3 channels."""
    generator = np.random.default_rng(rng)
    return (
        layers.Conv2D(3, 3, 3, padding=1, rng=generator),
        layers.Tanh(),
        layers.Conv2D(3, 3, 1, rng=generator),
    )


def random(*shape: int) -> Any:
    return np.random.default_rng(5).normal(size=shape)


def adds_the_input(own: ModuleType) -> None:
    """y = f(x) + x; without layers 2x"""
    x = random(2, 3, 5, 4)
    same("y without layers", own.Residual().forward(x), 2 * x)
    expected = layers.Residual(*convolutions(0)).astype(np.float64)(x).data
    same("y", own.Residual(*map(OnArrays, convolutions(0))).forward(x), expected)


def both_ways_back(own: ModuleType) -> None:
    """dL/dx through the block, and past it"""
    x, dy = random(2, 3, 5, 4), random(2, 3, 5, 4)
    right = layers.Residual(*convolutions(0)).astype(np.float64)
    right(x)
    expected = right.backward(dy)
    assert expected is not None
    block = own.Residual(*map(OnArrays, convolutions(0)))
    block.forward(x)
    same("dx", block.backward(dy), expected.data)


def layers_in_the_shortcut(own: ModuleType) -> None:
    """Two layers in the shortcut: y, and dL/dx"""
    x, dy = random(2, 3, 6, 5), random(2, 4, 3, 3)

    def body() -> list[layers.Layer]:
        return [layers.Conv2D(3, 4, 3, 2, 1, rng=1), layers.Tanh()]

    def past() -> list[layers.Layer]:
        return [layers.Conv2D(3, 4, 1, 2, rng=2), layers.Sigmoid()]

    right = layers.Residual(*body(), shortcut=layers.Sequential(*past())).astype(np.float64)
    block = own.Residual(*map(OnArrays, body()), shortcut=list(map(OnArrays, past())))
    same("y", block.forward(x), right(x).data)
    expected = right.backward(dy)
    assert expected is not None
    same("dx", block.backward(dy), expected.data)


def leaves_arrays_alone(own: ModuleType) -> None:
    """x and dy are left as they are"""
    x, dy = random(1, 3, 4, 4), random(1, 3, 4, 4)
    block = own.Residual(*map(OnArrays, convolutions(0)))
    block.forward(x)
    block.backward(dy)
    same("x afterwards", x, random(1, 3, 4, 4))
    same("dy afterwards", dy, random(1, 3, 4, 4))


def branches() -> list[layers.Layer]:
    return [
        layers.Conv2D(3, 4, 1, rng=0),
        layers.Conv2D(3, 6, 3, padding=1, rng=1),
        layers.MaxPool2D(3, 1, 1),
    ]


def side_by_side(own: ModuleType) -> None:
    """The branches' channels, side by side: 4, 6 and 3"""
    x = random(2, 3, 5, 6)
    expected = layers.Concat(*branches()).astype(np.float64)(x).data
    same("y", own.Concat(*map(OnArrays, branches())).forward(x), expected)


def cut_and_added(own: ModuleType) -> None:
    """dL/dx: cut apart, sent back, added up"""
    x, dy = random(2, 3, 5, 6), random(2, 13, 5, 6)
    right = layers.Concat(*branches()).astype(np.float64)
    right(x)
    expected = right.backward(dy)
    assert expected is not None
    concat = own.Concat(*map(OnArrays, branches()))
    concat.forward(x)
    same("dx", concat.backward(dy), expected.data)


def one_branch(own: ModuleType) -> None:
    """A single branch is just that branch"""
    x, dy = random(1, 3, 4, 4), random(1, 4, 4, 4)
    alone, concat = OnArrays(branches()[0]), own.Concat(OnArrays(branches()[0]))
    same("y", concat.forward(x), alone.forward(x))
    same("dx", concat.backward(dy), alone.backward(dy))


def block_forward(own: ModuleType) -> None:
    """Forward, as before: relu(conv(x) + x)"""
    block, x = own.Block(rng=0), random(1, 2, 4, 4).astype(np.float32)
    expected = np.maximum(block.conv.forward(x).data + x, 0)
    same("y", block(x).data, expected)


def block_gradient(own: ModuleType) -> None:
    """Backward is the derivative of forward"""
    assert_gradient(own.Block(rng=0), random(2, 2, 5, 5))


EXERCISES = (
    Exercise(
        "residual",
        "Write Residual, forward and backward.",
        (adds_the_input, both_ways_back, layers_in_the_shortcut, leaves_arrays_alone),
    ),
    Exercise(
        "concat",
        "Write Concat, forward and backward.",
        (side_by_side, cut_and_added, one_branch),
    ),
    Exercise("planted_bug", "Mend a block with a shortcut.", (block_forward, block_gradient)),
)
