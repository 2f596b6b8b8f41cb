"""SGD: downhill, with momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import kernels
from ..errors import finite_float
from ..tensor import FloatArray, Parameter
from .base import Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum where asked for.

    With weight decay λ, momentum μ and learning rate η::

        g ← g + λ·θ
        v ← μ·v + g
        θ ← θ − η·v              (Nesterov: θ ← θ − η·(g + μ·v))

    Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; Sutskever et
    al., "On the importance of initialization and momentum in deep learning", 2013, in PyTorch's
    form, where η stands outside the velocity.

    Args:
        params: See `Optimizer`.
        lr: η.
        momentum: μ, at least 0 and below 1; 0 keeps no velocity.
        nesterov: Look ahead along the velocity; needs momentum.
        weight_decay: λ, an L2 penalty.
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.momentum = finite_float(momentum, "momentum", minimum=0, below=1)
        self.nesterov = bool(nesterov)
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0, got momentum=0")
        self.slots = ("velocity",) if self.momentum else ()
        super().__init__(params, lr, weight_decay)

    def _settings(self) -> dict[str, Any]:
        return {
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "weight_decay": self.weight_decay,
        }

    def _update(self, step: int, *arrays: FloatArray) -> None:
        theta, g, *velocity = arrays
        v = velocity[0] if velocity else None
        kernels.engine.sgd_update(
            theta, g, v, self._lr, self.momentum, self.nesterov, self.weight_decay, kernels.threads
        )
