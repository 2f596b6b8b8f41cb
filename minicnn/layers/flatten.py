"""Flatten: each picture's C×H×W values as one column of features, B×F×1×1.

The values stay where they are in memory; only the shape changes, and changes back in backward.
"""

from __future__ import annotations

from ..tensor import FloatArray
from .base import Layer, Shape


class Flatten(Layer):
    """B×C×H×W → B×(C·H·W)×1×1."""

    kind = "flatten"
    makes_new_output = False

    def output_shape(self, in_shape: Shape) -> Shape:
        B, C, H, W = in_shape
        return B, C * H * W, 1, 1

    def _forward(self, x: FloatArray) -> FloatArray:
        self.save(x.shape)
        return x.reshape(self._out_shape)

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        (in_shape,) = self.saved
        return dy.reshape(in_shape) if need_dx else None
