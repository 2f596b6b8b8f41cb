"""Optimizers: what turns gradients into better parameters.

The rules are PyTorch's, to the rounding of the arithmetic, so that results carry over both ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import describe
from ..tensor import Parameter
from .adam import Adam, AdamW
from .base import Optimizer
from .clip import clip_grad_norm
from .sgd import SGD

__all__ = ["OPTIMIZERS", "SGD", "Adam", "AdamW", "Optimizer", "clip_grad_norm", "from_config"]

OPTIMIZERS: dict[str, type[SGD] | type[Adam]] = {"SGD": SGD, "Adam": Adam, "AdamW": AdamW}


def from_config(config: Mapping[str, Any], params: Iterable[Parameter]) -> Optimizer:
    """The optimizer that ``config()`` described, for ``params``; its state starts afresh.

    Raises:
        ValueError: an unknown optimizer or setting.
    """
    settings = dict(config)
    name = settings.pop("type", None)
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {describe(name)}")
    try:
        return OPTIMIZERS[name](params, **settings)
    except TypeError as error:
        raise ValueError(f"optimizer config {dict(config)} does not fit: {error}") from None
