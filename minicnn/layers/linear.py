"""Linear: every output is a weighted sum of all inputs.

y[b,o] = bias[o] + Σ_i w[o,i] · x[b,i]         Y  = X Wᵀ + b

dL/db[o]   = Σ_b dy[b,o]
dL/dw[o,i] = Σ_b dy[b,o] · x[b,i]              dW = dYᵀ X
dL/dx[b,i] = Σ_o dy[b,o] · w[o,i]              dX = dY W
"""

from __future__ import annotations

from typing import Any

from .. import kernels
from ..errors import ShapeError, boolean, positive_int
from ..init import Rng, as_generator, kaiming_uniform, uniform
from ..tensor import FloatArray, Parameter
from .base import Layer, Shape


class Linear(Layer):
    """Fully connected layer, B×C×H×W with C·H·W = in_features → B×out_features×1×1.

    A picture is taken as its features in memory order, as if `Flatten` stood before this layer.

    Args:
        in_features: Values per picture of the input.
        out_features: Values per picture of the output.
        bias: Whether to add a learnt number per output.
        rng: Seed or Generator for the first weights; None draws a fresh seed.

    Attributes:
        weight: out_features × in_features; starts Kaiming-uniform as in PyTorch, within
            ±1/√in_features.
        bias: out_features, or None.

    Raises:
        ValueError, TypeError: an argument is out of range.
    """

    kind = "fc"
    parameter_names = ("weight", "bias")

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, rng: Rng = None
    ) -> None:
        super().__init__()
        self.in_features = positive_int(in_features, "in_features")
        self.out_features = positive_int(out_features, "out_features")
        generator = as_generator(rng)
        shape = (self.out_features, self.in_features)
        self.weight = Parameter(kaiming_uniform(shape, generator, negative_slope=5**0.5))
        self.bias = (
            Parameter(uniform(shape[:1], self.weight.data[0].size ** -0.5, generator))
            if boolean(bias, "bias")
            else None
        )

    def output_shape(self, in_shape: Shape) -> Shape:
        B, C, H, W = in_shape
        if self.in_features != C * H * W:
            raise ShapeError(
                f"{self.label}: x must have shape (B, {self.in_features}, 1, 1), or C·H·W = "
                f"{self.in_features}, got {in_shape}"
            )
        return B, self.out_features, 1, 1

    def _forward(self, x: FloatArray) -> FloatArray:
        weight = self.values("weight", (self.out_features, self.in_features))
        rows = x.reshape(x.shape[0], self.in_features)
        y = self.buffer("y", self._out_shape, x.dtype)
        flat = y.reshape(x.shape[0], self.out_features)
        kernels.engine.matmul(rows, weight, flat, False, True, False, kernels.threads)
        if self.bias is not None:
            flat += self.values("bias", (self.out_features,))
        self.save(rows, x.shape)
        return y

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        rows, in_shape = self.saved
        weight = self.values("weight", (self.out_features, self.in_features))
        flat = dy.reshape(dy.shape[0], self.out_features)
        if self.bias is not None:
            self.values("bias", (self.out_features,))
            self.bias.add_grad(flat.sum(axis=0))
        dw, accumulate = self.weight.open_grad()
        kernels.engine.matmul(flat, rows, dw, True, False, accumulate, kernels.threads)
        if not need_dx:
            return None
        dx = self.borrow(in_shape, dy.dtype)
        kernels.engine.matmul(
            flat, weight, dx.reshape(rows.shape), False, False, False, kernels.threads
        )
        return dx

    def multiply_adds(self, in_shape: Shape) -> int:
        return self.output_shape(in_shape)[0] * self.weight.size

    def args(self) -> dict[str, Any]:
        return {
            "in_features": self.in_features,
            "out_features": self.out_features,
            "bias": self.bias is not None,
        }
