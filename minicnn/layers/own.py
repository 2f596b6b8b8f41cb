"""What is checked of a layer of one's own in each pass, beside what is checked of all.

The tests see to it that minicnn's layers keep these rules, so only classes from elsewhere pay for
looking: a broken rule would come to light in a neighbour, whose message cannot name the culprit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ShapeError, describe
from ..tensor import FloatArray, is_recording

if TYPE_CHECKING:
    from .base import Layer


def forward(layer: Layer, x: FloatArray, fused: dict[str, bool]) -> FloatArray:
    """``layer._forward(x)``, if it is as it should be.

    Raises:
        TypeError, ValueError, ShapeError: it is not.
    """
    _ = layer.training  # an error if __init__ did not call that of its base
    layer.check_parameters()
    y = layer._forward(x, **fused)
    expected = layer._out_shape
    _check_array(layer, "_forward", y, x)
    if y.shape != expected:
        if not isinstance(expected, tuple):
            raise TypeError(
                f"{layer.label}: output_shape must return a tuple (B, C, H, W), got "
                f"{describe(expected)}"
            )
        from .base import Layer

        inherited = type(layer).output_shape is Layer.output_shape
        raise ShapeError(
            f"{layer.label}: for x of shape {x.shape} output_shape says {expected}, but _forward "
            f"made {y.shape}; "
            + ("define output_shape(self, in_shape)" if inherited else "one of the two is wrong")
        )
    layer._forgot_save = layer._saved is None and is_recording()
    return y


def backward(layer: Layer, dy: FloatArray, need_dx: bool) -> FloatArray | None:
    """``layer._backward(dy, need_dx)``, if it is as it should be.

    Raises:
        TypeError, ValueError, ShapeError: it is not.
    """
    dx = layer._backward(dy, need_dx)
    if not need_dx:
        return None
    _check_array(layer, "_backward", dx, dy)
    assert dx is not None
    if dx.shape != layer._in_shape:
        raise ShapeError(
            f"{layer.label}: _backward must return dL/dx of x's shape, {layer._in_shape}, got "
            f"{dx.shape}"
        )
    return dx


def why_nothing_is_saved(layer: Layer) -> str:
    """What to say where backward finds that the last forward pass kept nothing."""
    if layer._forgot_save:
        return (
            f"{layer.label}: backward() needs what _forward keeps with self.save(...), which it "
            f"did not call; where there is nothing to keep, self.save() says so"
        )
    return (
        f"{layer.label}: backward() cannot follow a forward() under no_grad(), which keeps nothing "
        f"for it"
    )


def _check_array(layer: Layer, method: str, result: Any, given: FloatArray) -> None:
    """Refuse what the next layer could not take: its message would name another one."""
    name, what = ("x", "its result") if method == "_forward" else ("dy", "dL/dx")
    if not isinstance(result, np.ndarray):
        hint = " (a return is missing?)" if result is None else ""
        raise TypeError(
            f"{layer.label}: {method} must return {what}, a NumPy array, got "
            f"{'None' if result is None else describe(result)}{hint}"
        )
    if result.dtype != given.dtype:
        raise TypeError(
            f"{layer.label}: {method} must return {given.dtype}, the dtype of {name}, got "
            f"{result.dtype}; make arrays with dtype={name}.dtype, such as "
            f"np.zeros(n, {name}.dtype)"
        )
    if not result.flags.c_contiguous:
        raise ValueError(
            f"{layer.label}: {method} must return a C-contiguous array, got one with strides "
            f"{result.strides} for shape {result.shape}; wrap it in np.ascontiguousarray(...)"
        )
