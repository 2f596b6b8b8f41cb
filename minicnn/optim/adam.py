"""Adam and AdamW: a step size for every value."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import describe, finite_float
from ..tensor import FloatArray, Parameter
from .base import Optimizer


class Adam(Optimizer):
    """Adam: each value has a step of its own, by the history of its gradient.

    In step t, with learning rate η and weight decay λ (an L2 penalty)::

        g ← g + λ·θ
        m ← β₁·m + (1 − β₁)·g              mean of the gradient
        v ← β₂·v + (1 − β₂)·g²             mean of its square
        θ ← θ − η·m̂ / (√v̂ + ε)             with m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ)

    The divisions by 1 − βᵗ make up for m and v starting at zero. Kingma & Ba, "Adam: a method for
    stochastic optimization", 2015, algorithm 1.

    Args:
        params: See `Optimizer`.
        lr: η.
        betas: (β₁, β₂), each at least 0 and below 1.
        eps: ε, at least 0.
        weight_decay: λ.
    """

    slots = ("mean", "square")

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"betas must be a pair of numbers, got {describe(betas)}")
        self.betas = (
            finite_float(betas[0], "betas[0]", minimum=0, below=1),
            finite_float(betas[1], "betas[1]", minimum=0, below=1),
        )
        self.eps = finite_float(eps, "eps", minimum=0)
        super().__init__(params, lr, weight_decay)

    def _settings(self) -> dict[str, Any]:
        return {"betas": list(self.betas), "eps": self.eps, "weight_decay": self.weight_decay}

    def _numbers(self, step: int) -> tuple[float, ...]:
        correction_1, correction_2 = (1.0 - beta**step for beta in self.betas)
        return math.sqrt(correction_2), self._lr / correction_1

    def _update(self, numbers: tuple[float, ...], *arrays: FloatArray) -> None:
        theta, g, m, v, s, t = arrays
        if self.weight_decay:
            np.multiply(theta, self.weight_decay, out=s)
            s += g
            g = s
        self._descend(numbers, theta, g, m, v, t)

    def _descend(
        self,
        numbers: tuple[float, ...],
        theta: FloatArray,
        g: FloatArray,
        m: FloatArray,
        v: FloatArray,
        t: FloatArray,
    ) -> None:
        root_correction, rate = numbers
        beta_1, beta_2 = self.betas
        np.subtract(g, m, out=t)  # m + (1 − β₁)·(g − m) is the mean above in one product less
        t *= 1.0 - beta_1
        m += t
        v *= beta_2
        np.multiply(g, g, out=t)
        t *= 1.0 - beta_2
        v += t
        np.sqrt(v, out=t)
        t /= root_correction
        t += self.eps
        np.divide(m, t, out=t)
        t *= rate
        theta -= t


class AdamW(Adam):
    """Adam whose weight decay acts on the parameters themselves, not through the gradient.

    Before Adam's rule (with λ = 0 there): θ ← θ − η·λ·θ, so that values with large gradients are
    not spared. Loshchilov & Hutter, "Decoupled weight decay regularization", 2019, algorithm 2,
    with lr times weight_decay for their ηₜ·λ, as PyTorch has it.
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

    def _update(self, numbers: tuple[float, ...], *arrays: FloatArray) -> None:
        theta, g, m, v, _, t = arrays
        if self.weight_decay:
            theta *= 1.0 - self._lr * self.weight_decay
        self._descend(numbers, theta, g, m, v, t)
