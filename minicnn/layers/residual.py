"""Residual: what a block of layers makes of x is added to x itself.

    y = f(x) + x                    dL/dx = (∂f/∂x)ᵀ dy + dy

The sum sends its gradient to both terms, so dL/dx is the sum of what comes back through the block
and through the shortcut. Where f changes the shape, a shortcut g (a 1×1 convolution, say) takes the
place of x: y = f(x) + g(x). (He et al., "Deep residual learning", 2016, equations 1 and 2.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError, describe
from ..tensor import FloatArray
from .base import Layer, Shape, from_config, reusing_buffers
from .sequential import Sequential, check_passes, passes, tree


class Residual(Layer):
    """f(x) + shortcut(x), where f is the chain of the layers given.

    Args:
        layers: The block f.
        shortcut: The layer that takes x past the block; None for x itself.

    Raises:
        ShapeError: at output_shape or forward, the two terms differ in shape.
    """

    kind = "residual"

    def __init__(self, *layers: Layer, shortcut: Layer | None = None) -> None:
        super().__init__()
        if shortcut is not None and not isinstance(shortcut, Layer):
            raise TypeError(f"shortcut must be a minicnn layer or None, got {describe(shortcut)}")
        self.body = Sequential(*layers)
        self.shortcut = shortcut
        if shortcut is not None:
            Sequential(self.body, shortcut)  # refuses what is not a layer, or stands in both

    def children(self) -> dict[str, Layer]:
        """The block's layers by number, as in Sequential; the shortcut under its own key."""
        own = self.body.children()
        return own if self.shortcut is None else {**own, "shortcut": self.shortcut}

    def output_shape(self, in_shape: Shape) -> Shape:
        through = self.body.output_shape(in_shape)
        past = in_shape if self.shortcut is None else self.shortcut.output_shape(in_shape)
        if through != past:
            raise ShapeError(
                f"{self.label}: the block makes {through} of {in_shape} and the shortcut {past}; "
                f"they must agree: pass shortcut=Conv2D(…, kernel_size=1, stride=…)"
            )
        return through

    def _forward(self, x: FloatArray) -> FloatArray:
        with reusing_buffers(self):
            through = self.body._run(x)
            past = x if self.shortcut is None else self.shortcut._run(x)
        y = self.buffer("y", through.shape, through.dtype)
        np.add(through, past, out=y)
        self.save(passes(self._terms()))
        return y

    def _terms(self) -> list[Layer]:
        return [self.body] if self.shortcut is None else [self.body, self.shortcut]

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        check_passes(self, self._terms(), *self.saved)
        with reusing_buffers(self):
            through = self.body._run_back(dy, need_dx)
            past = dy if self.shortcut is None else self.shortcut._run_back(dy, need_dx)
        if through is None or past is None:
            return None
        dx = self.borrow(through.shape, through.dtype)
        np.add(through, past, out=dx)
        return dx

    def multiply_adds(self, in_shape: Shape) -> int:
        past = 0 if self.shortcut is None else self.shortcut.multiply_adds(in_shape)
        return self.body.multiply_adds(in_shape) + past

    def args(self) -> dict[str, Any]:
        shortcut = None if self.shortcut is None else self.shortcut.config()
        return {**self.body.args(), "shortcut": shortcut}

    @classmethod
    def _from_args(cls, args: dict[str, Any]) -> Residual:
        shortcut = args["shortcut"]
        return cls(
            *(from_config(config) for config in args["layers"]),
            shortcut=None if shortcut is None else from_config(shortcut),
        )

    def __repr__(self) -> str:
        lines = [f"({i}) {layer.name}: {layer!r}" for i, layer in enumerate(self.body)]
        if self.shortcut is not None:
            lines.append(f"shortcut: {self.shortcut!r}")
        return tree(self, lines)
