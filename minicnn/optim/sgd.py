"""SGD: downhill, with momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

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

    def _update(self, numbers: tuple[float, ...], *arrays: FloatArray) -> None:
        theta, g, *_, s, t = arrays
        if self.weight_decay:
            np.multiply(theta, self.weight_decay, out=s)
            s += g
            g = s
        if self.momentum:
            v = arrays[2]
            v *= self.momentum
            v += g
            if self.nesterov:
                np.multiply(v, self.momentum, out=t)
                t += g
                g = t
            else:
                g = v
        np.multiply(g, self._lr, out=s)
        theta -= s
