"""ReLU: what is negative becomes zero.

    y = max(x, 0)          dL/dx = dy where y > 0, else 0

At exactly 0 the function has a kink and no derivative; 0 is taken, as everywhere. The result y
tells all that backward needs, so x need not be kept.
"""

from __future__ import annotations

from .. import kernels
from ..tensor import FloatArray
from .base import Layer


class ReLU(Layer):
    """max(x, 0), element by element (Nair & Hinton, 2010)."""

    kind = "relu"

    def _forward(self, x: FloatArray, done: bool = False, routed: bool = False) -> FloatArray:
        y = x if done else self.buffer("y", x.shape, x.dtype)
        if not done:
            kernels.engine.relu_forward(x.reshape(-1), y.reshape(-1), kernels.threads)
        self.save(None if routed else y)
        return y

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        if not need_dx:
            return None
        (y,) = self.saved
        if y is None:  # a neighbour sees to it that only what may pass does
            return dy
        dx = self.borrow(y.shape, y.dtype)
        kernels.engine.relu_backward(dy.reshape(-1), y.reshape(-1), dx.reshape(-1), kernels.threads)
        return dx
