"""Adam and AdamW: a step size for every value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import kernels
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
    _decoupled = False

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

    def _update(self, step: int, *arrays: FloatArray) -> None:
        theta, g, m, v = arrays
        decay = self.weight_decay, self._decoupled
        kernels.engine.adam_update(
            theta, g, m, v, self._lr, *self.betas, self.eps, *decay, step, kernels.threads
        )


class AdamW(Adam):
    """Adam whose weight decay acts on the parameters themselves, not through the gradient.

    Before Adam's rule (with λ = 0 there): θ ← θ − η·λ·θ, so that values with large gradients are
    not spared. Loshchilov & Hutter, "Decoupled weight decay regularization", 2019, algorithm 2,
    with lr times weight_decay for their ηₜ·λ, as PyTorch has it.
    """

    _decoupled = True

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)
