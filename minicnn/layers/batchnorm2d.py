"""BatchNorm2D: each channel is brought to mean 0 and variance 1, then scaled and shifted as learnt.

Per channel c, over the N = B·H·W values of the batch (Ioffe & Szegedy 2015, algorithm 1):

    μ = mean(x)      σ² = mean((x − μ)²)      x̂ = (x − μ)/√(σ² + ε)      y = γ·x̂ + β

x acts on y directly, through μ and through σ²; the three together give

    dL/dβ = Σ dy      dL/dγ = Σ dy·x̂      dL/dx = γ/√(σ² + ε) · (dy − dL/dβ / N − x̂ · dL/dγ / N)

In evaluation mode μ and σ² are the running statistics, constants: only the direct path is left.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels
from ..errors import ShapeError, finite_float, positive_int, probability
from ..tensor import FloatArray, Parameter
from .base import Layer, Shape


class BatchNorm2D(Layer):
    """Batch normalisation over B, H and W for each channel.

    Training mode uses the batch's own statistics and moves the running ones towards them,
    ``running ← (1 − momentum)·running + momentum·batch`` (the variance unbiased, divided by N − 1,
    as PyTorch does); evaluation mode uses the running ones. `no_grad` has no say in this.

    Args:
        num_features: C of the input.
        eps: ε, added to the variance.
        momentum: Share of the newest batch in the running statistics, 0 to 1.

    Attributes:
        weight, bias: γ (starts at 1) and β (starts at 0), shape (C,).
        running_mean, running_var: Shape (C,); start at 0 and 1.
        num_batches_tracked: How many training batches came by, an int64 scalar array.

    Raises:
        ValueError, TypeError: an argument is out of range.
    """

    kind = "bn"
    parameter_names = ("weight", "bias")
    state_names = ("running_mean", "running_var", "num_batches_tracked")

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.num_features = positive_int(num_features, "num_features")
        self.eps = finite_float(eps, "eps", above=0)
        self.momentum = probability(momentum, "momentum")
        self.weight = Parameter(np.ones(num_features, np.float32))
        self.bias = Parameter(np.zeros(num_features, np.float32))
        self.running_mean: FloatArray = np.zeros(num_features, np.float32)
        self.running_var: FloatArray = np.ones(num_features, np.float32)
        self.num_batches_tracked = np.array(0, np.int64)

    def output_shape(self, in_shape: Shape) -> Shape:
        if in_shape[1] != self.num_features:
            raise ShapeError(
                f"{self.label}: x must have shape (B, {self.num_features}, H, W), got {in_shape}"
            )
        return in_shape

    def _forward(self, x: FloatArray, relu: bool = False) -> FloatArray:
        C = (self.num_features,)
        mean, var = self.values("running_mean", C), self.values("running_var", C)
        if self.training:
            mean, var = self._batch_statistics(x)
        inv_std = 1 / np.sqrt(var + np.asarray(self.eps, var.dtype))
        scale = self.values("weight", C) * inv_std
        shift = self.values("bias", C) - mean * scale
        y = self.buffer("y", x.shape, x.dtype)
        kernels.engine.batchnorm2d_normalize(x, scale, shift, y, relu, kernels.threads)
        self.save(x, scale, shift, mean.copy(), inv_std, self.training, relu)
        return y

    def _batch_statistics(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """μ and σ² of this batch; moves the running statistics."""
        N = x.size // self.num_features
        if N == 0:
            return self.running_mean, self.running_var
        if N == 1:
            raise ShapeError(
                f"{self.label}: training needs more than one value per channel, got x of shape "
                f"{x.shape}; use a bigger batch, or net.eval()"
            )
        mean, var = np.empty_like(self.running_mean), np.empty_like(self.running_var)
        kernels.engine.batchnorm2d_statistics(x, mean, var, kernels.threads)
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var * (N / (N - 1)) - self.running_var)
        self.num_batches_tracked += 1
        return mean, var

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        x, scale, shift, mean, inv_std, used_batch_statistics, relu = self.saved
        dgamma, dbeta = np.empty_like(mean), np.empty_like(mean)
        kernels.engine.batchnorm2d_backward_reduce(
            dy, x, scale, shift, mean, inv_std, dgamma, dbeta, relu, kernels.threads
        )
        for attribute in self.parameter_names:  # somebody may have put others in their place
            self.values(attribute, dgamma.shape)
        self.weight.add_grad(dgamma)
        self.bias.add_grad(dbeta)
        if not need_dx:
            return None
        if not used_batch_statistics:  # μ and σ² are constants: nothing flows back through them
            dgamma, dbeta = np.zeros_like(dgamma), np.zeros_like(dbeta)
        dx = self.borrow(x.shape, x.dtype)
        kernels.engine.batchnorm2d_backward_input(
            dy, x, scale, shift, mean, inv_std, dgamma, dbeta, dx, relu, kernels.threads
        )
        return dx

    def args(self) -> dict[str, Any]:
        return {"num_features": self.num_features, "eps": self.eps, "momentum": self.momentum}
