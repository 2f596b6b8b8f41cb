"""Clipping: gradients that are too long are shortened."""

from __future__ import annotations

import math
from collections.abc import Iterable

from .. import kernels
from ..errors import finite_float
from ..tensor import Parameter
from .base import parameter_list


def clip_grad_norm(params: Iterable[Parameter] | Parameter, max_norm: float) -> float:
    """Shorten the gradients, taken together as one vector, to ``max_norm`` where they are longer.

    The gradients are multiplied in place by max_norm / (norm + 10⁻⁶), PyTorch's factor, where that
    is below 1. Pascanu et al., "On the difficulty of training recurrent neural networks", 2013,
    algorithm 1.

    Args:
        params: Parameters; those without a gradient count as zero.
        max_norm: Above 0; infinity to measure only.

    Returns:
        The Euclidean norm before, summed in float64. When it is NaN or infinite the gradients are
        left as they are: there is no direction to keep.

    Raises:
        TypeError, ValueError: an argument that cannot be.
    """
    if max_norm != math.inf:
        max_norm = finite_float(max_norm, "max_norm", above=0)
    listed = [params] if isinstance(params, Parameter) else parameter_list(params)
    grads = [parameter.grad for parameter in listed]
    flat = [grad.ravel() for grad in grads if grad is not None]
    # Not NumPy's dot: a BLAS would sum in an order that depends on its number of threads.
    norm = math.sqrt(sum(kernels.engine.sum_of_squares(grad, kernels.threads) for grad in flat))
    factor = max_norm / (norm + 1e-6)
    if math.isfinite(norm) and factor < 1:
        for grad in flat:
            grad *= factor
    return norm
