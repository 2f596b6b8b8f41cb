"""Losses: one number that says how wrong a net is, and its gradient, where ``backward`` starts.

Calling a loss gives the number, a Python float, averaged over the batch; its ``backward()`` gives
the gradient with respect to what the net put out, ready for ``net.backward``::

    loss = SoftmaxCrossEntropy()
    value = loss(net(x), labels)
    net.backward(loss.backward())
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from . import kernels
from .errors import ShapeError, probability
from .labels import class_labels, class_scores
from .tensor import FloatArray, Tensor, as_float_array, is_recording


class Loss(Protocol):
    """What a trainer asks of a loss."""

    def __call__(self, outputs: Any, targets: Any, /) -> float:
        """The loss, averaged over the batch."""
        ...

    def backward(self) -> Tensor:
        """The gradient of the last loss with respect to ``outputs``, B×K×1×1."""
        ...

    def config(self) -> dict[str, Any]:
        """The loss's name ("type") and settings."""
        ...


class SoftmaxCrossEntropy:
    """Cross entropy of the softmax of logits z with labels y, averaged over the batch.

    L = mean over b of ( log Σₖ exp z[b, k] − Σₖ t[b, k]·z[b, k] ) and dL/dz = (softmax(z) − t) / B,
    where the target t[b, k] is 1 for k = y[b] and 0 elsewhere. With label smoothing ε (Szegedy et
    al., "Rethinking the Inception Architecture", 2016, section 7) it is 1 − ε + ε/K and ε/K. The
    logarithm of the sum is taken after the largest logit of the row has been subtracted, so
    that no exponential overflows and the logarithm never meets a zero. NaN in the logits gives a
    NaN loss.

    Args:
        label_smoothing: ε, from 0 to 1.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self.label_smoothing = probability(label_smoothing, "label_smoothing")
        self._gradient: FloatArray | None = None

    def __call__(self, logits: Tensor | npt.ArrayLike, labels: npt.ArrayLike) -> float:
        """The loss.

        Args:
            logits: B×K×1×1 (Tensor or array) or B×K, float32 or float64: scores before any softmax.
            labels: Shape (B,), whole numbers from 0 to K - 1.

        Raises:
            ShapeError: wrong shapes, or an empty batch.
            TypeError, ValueError: labels that are no such numbers; the message names the index.
        """
        z = class_scores(logits, "logits")
        _refuse_empty(z, "logits")
        y = class_labels(labels, "labels", count=z.shape[0], classes=z.shape[1])
        dz = np.empty_like(z)
        value = kernels.engine.softmax_cross_entropy(z, y, dz, self.label_smoothing)
        self._gradient = dz.reshape(*dz.shape, 1, 1) if is_recording() else None
        return float(value)

    def backward(self) -> Tensor:
        """dL/dlogits of the last call, B×K×1×1, in the dtype of the logits.

        Raises:
            RuntimeError: there was no call yet, or the last one was under ``no_grad()``.
        """
        return _gradient(self, self._gradient)

    def config(self) -> dict[str, Any]:
        """The loss's name ("type") and settings."""
        return {"type": "SoftmaxCrossEntropy", "label_smoothing": self.label_smoothing}

    def __repr__(self) -> str:
        smoothing = f"label_smoothing={self.label_smoothing}" if self.label_smoothing else ""
        return f"SoftmaxCrossEntropy({smoothing})"


class MSELoss:
    """Mean squared error: L = mean of (x − t)² over all N elements, dL/dx = 2·(x − t) / N.

    As PyTorch's ``MSELoss``, but shapes must match: nothing is broadcast.
    """

    def __init__(self) -> None:
        self._gradient: FloatArray | None = None

    def __call__(self, outputs: Tensor | npt.ArrayLike, targets: Tensor | npt.ArrayLike) -> float:
        """The loss.

        Args:
            outputs: B×C×H×W or B×K, float32 or float64: what the net put out.
            targets: What it should have been: the same shape, where B×K and B×K×1×1 count as the
                same; rounded to the dtype of ``outputs``.

        Raises:
            ShapeError: wrong shapes, or an empty batch.
        """
        x = _as_4d(as_float_array(outputs, "outputs"), "outputs")
        _refuse_empty(x, "outputs")
        t = _as_4d(as_float_array(targets, "targets", dtype=x.dtype), "targets")
        if t.shape != x.shape:
            raise ShapeError(f"targets must have the shape of outputs, {x.shape}, got {t.shape}")
        with np.errstate(over="ignore", invalid="ignore"):  # a loss may be inf or NaN: it says so
            difference = x - t
            value = float(np.mean(np.square(difference, dtype=np.float64)))
            difference *= 2.0 / x.size
        self._gradient = difference if is_recording() else None
        return value

    def backward(self) -> Tensor:
        """dL/doutputs of the last call, B×C×H×W or B×K×1×1, in the dtype of the outputs.

        Raises:
            RuntimeError: there was no call yet, or the last one was under ``no_grad()``.
        """
        return _gradient(self, self._gradient)

    def config(self) -> dict[str, Any]:
        """The loss's name ("type"); there is nothing to set."""
        return {"type": "MSELoss"}

    def __repr__(self) -> str:
        return "MSELoss()"


def softmax(logits: Tensor | npt.ArrayLike) -> FloatArray:
    """Probabilities: exp z[b, k] / Σⱼ exp z[b, j], for each sample b.

    Args:
        logits: B×K×1×1 or B×K, float32 or float64; B may be 0.

    Returns:
        B×K, in the dtype of the logits, each row adding up to 1; a row with NaN in it is all NaN.

    Raises:
        ShapeError: another shape.
    """
    z = class_scores(logits, "logits")
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, which is the answer
        exponentials: FloatArray = np.exp(z - z.max(axis=1, keepdims=True))
        exponentials /= exponentials.sum(axis=1, keepdims=True)
    return exponentials


def from_config(config: dict[str, Any]) -> SoftmaxCrossEntropy | MSELoss:
    """The loss that ``config()`` described.

    Raises:
        ValueError: an unknown loss or setting.
    """
    settings = dict(config)
    name = settings.pop("type", None)
    try:
        if name == "SoftmaxCrossEntropy":
            return SoftmaxCrossEntropy(**settings)
        if name == "MSELoss":
            return MSELoss(**settings)
    except TypeError as error:
        raise ValueError(f"loss config {config} does not fit {name}: {error}") from None
    raise ValueError(f"loss must be SoftmaxCrossEntropy or MSELoss, got {name!r}")


def _gradient(loss: Loss, gradient: FloatArray | None) -> Tensor:
    if gradient is None:
        raise RuntimeError(
            f"{type(loss).__name__}: backward before a loss was computed (or the last one was "
            "computed under no_grad())"
        )
    return Tensor(gradient.copy())  # the caller may do with it what they like, and call again


def _refuse_empty(array: FloatArray, name: str) -> None:
    if array.size == 0:
        raise ShapeError(
            f"{name} must hold at least one sample, got shape {array.shape}: the mean over none "
            "is not defined"
        )


def _as_4d(array: FloatArray, name: str) -> FloatArray:
    if array.ndim == 2:
        return array.reshape(*array.shape, 1, 1)
    if array.ndim != 4:
        raise ShapeError(f"{name} must have shape (B, C, H, W) or (B, K), got {array.shape}")
    return array
