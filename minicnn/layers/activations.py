"""ReLU's relatives: LeakyReLU, Sigmoid and Tanh, element by element.

LeakyReLU   y = x if x > 0 else a·x       dL/dx = dy · (1 if x > 0 else a)
Sigmoid     y = 1 / (1 + exp(−x))         dL/dx = dy · y·(1 − y)
Tanh        y = tanh(x)                   dL/dx = dy · (1 − y²)
"""

from __future__ import annotations

from typing import Any

from .. import kernels
from ..errors import finite_float
from ..tensor import FloatArray
from .base import Layer


class LeakyReLU(Layer):
    """x where it is positive, a small multiple of it elsewhere (Maas et al., 2013).

    Args:
        negative_slope: The multiple, a.
    """

    kind = "leaky"

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = finite_float(negative_slope, "negative_slope")

    def _forward(self, x: FloatArray) -> FloatArray:
        y = self.buffer("y", x.shape, x.dtype)
        kernels.engine.leaky_relu_forward(
            x.reshape(-1), y.reshape(-1), self.negative_slope, kernels.threads
        )
        self.save(x)  # y does not tell the side when the slope is negative or zero
        return y

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        if not need_dx:
            return None
        (x,) = self.saved
        dx = self.borrow(x.shape, x.dtype)
        kernels.engine.leaky_relu_backward(
            dy.reshape(-1), x.reshape(-1), dx.reshape(-1), self.negative_slope, kernels.threads
        )
        return dx

    def args(self) -> dict[str, Any]:
        return {"negative_slope": self.negative_slope}


class Sigmoid(Layer):
    """1 / (1 + exp(−x)): any number to between 0 and 1."""

    kind = "sigmoid"

    def _forward(self, x: FloatArray) -> FloatArray:
        y = self.buffer("y", x.shape, x.dtype)
        kernels.engine.sigmoid_forward(x.reshape(-1), y.reshape(-1), kernels.threads)
        self.save(y)
        return y

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        if not need_dx:
            return None
        (y,) = self.saved
        dx = self.borrow(y.shape, y.dtype)
        kernels.engine.sigmoid_backward(
            dy.reshape(-1), y.reshape(-1), dx.reshape(-1), kernels.threads
        )
        return dx


class Tanh(Layer):
    """tanh(x): any number to between −1 and 1."""

    kind = "tanh"

    def _forward(self, x: FloatArray) -> FloatArray:
        y = self.buffer("y", x.shape, x.dtype)
        kernels.engine.tanh_forward(x.reshape(-1), y.reshape(-1), kernels.threads)
        self.save(y)
        return y

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        if not need_dx:
            return None
        (y,) = self.saved
        dx = self.borrow(y.shape, y.dtype)
        kernels.engine.tanh_backward(dy.reshape(-1), y.reshape(-1), dx.reshape(-1), kernels.threads)
        return dx
