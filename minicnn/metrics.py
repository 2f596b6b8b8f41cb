"""Metrics: how good a classifier is, once it predicts.

Every function takes predictions, which are logits or probabilities (B×K×1×1 or B×K, Tensor or
array) or, where a single class is all it needs, predicted labels (shape (B,)); and the true labels,
shape (B,). Of equal scores the first class counts as predicted, as in ``Tensor.argmax``; NaN counts
as the largest of all scores.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .errors import ShapeError, finite_float, positive_int
from .labels import IntArray, class_labels, class_scores


class ClassReport(NamedTuple):
    """What `precision_recall` gives: for each of K classes, an array of shape (K,)."""

    precision: npt.NDArray[np.float64]
    """Of the samples predicted as this class, the part that is of it: TP / (TP + FP)."""
    recall: npt.NDArray[np.float64]
    """Of the samples of this class, the part that was predicted so: TP / (TP + FN)."""
    f1: npt.NDArray[np.float64]
    """The harmonic mean of the two: 2·TP / (2·TP + FP + FN)."""
    support: IntArray
    """How many samples are of this class: TP + FN."""


def accuracy(predictions: Any, labels: Any) -> float:
    """The part of the samples whose prediction is right, from 0 to 1.

    Args:
        predictions: Scores or predicted labels, see the module's text.
        labels: Shape (B,), whole numbers of at least 0 (and below K, where K is known).

    Raises:
        ShapeError: wrong shapes, or no sample at all.
        TypeError, ValueError: labels that are no such numbers.
    """
    predicted, true, _ = _predicted_and_true(predictions, labels, None)
    _refuse_empty(true)
    return float(np.mean(predicted == true))


def topk_accuracy(scores: Any, labels: Any, k: int = 5) -> float:
    """The part of the samples whose true class is among the k with the highest scores, from 0 to 1.

    Of equal scores the first classes come first, so that k = 1 is `accuracy`.

    Args:
        scores: Logits or probabilities, B×K×1×1 or B×K.
        labels: Shape (B,), whole numbers from 0 to K - 1.
        k: From 1 to K.

    Raises:
        ShapeError: wrong shapes, or no sample at all.
        TypeError, ValueError: a ``k`` or labels that cannot be.
    """
    z = class_scores(scores, "scores")
    B, K = z.shape
    true = class_labels(labels, "labels", count=B, classes=K)
    _refuse_empty(true)
    k = positive_int(k, "k")
    if k > K:
        raise ValueError(f"k must be at most the number of classes, {K}, got {k}")
    nan = np.isnan(z)  # which counts as more than infinity, as in argmax
    z = np.where(nan, 0, z)
    own, own_nan = (a[np.arange(B), true][:, np.newaxis] for a in (z, nan))
    tie = (z == own) & (np.arange(K) < true[:, np.newaxis])
    ahead = (nan & ~own_nan) | ((nan == own_nan) & ((z > own) | tie))
    return float(np.mean(ahead.sum(axis=1) < k))


def confusion_matrix(predictions: Any, labels: Any, classes: int | None = None) -> IntArray:
    """How often each class was taken for each: rows are true classes, columns predicted ones.

    Args:
        predictions: Scores or predicted labels, see the module's text; B may be 0.
        labels: Shape (B,), whole numbers of at least 0.
        classes: K. Scores tell it themselves; with predicted labels, None takes one more than the
            largest label on either side.

    Returns:
        int64, K×K; its sum is B, its diagonal holds what was right.

    Raises:
        ShapeError: wrong shapes.
        TypeError, ValueError: labels that are no such numbers, or ``classes`` other than the scores
            have.
    """
    predicted, true, K = _predicted_and_true(predictions, labels, classes)
    if K is None:
        K = 1 + int(max(predicted.max(initial=-1), true.max(initial=-1)))
    return np.bincount(true * K + predicted, minlength=K * K).reshape(K, K).astype(np.int64)


def precision_recall(
    predictions: Any, labels: Any, classes: int | None = None, *, zero_division: float = math.nan
) -> ClassReport:
    """Precision, recall, F1 and support of every class.

    Args:
        predictions, labels, classes: See `confusion_matrix`.
        zero_division: What stands where the fraction is 0/0: the precision of a class that was
            never predicted, the recall of one that does not occur, the F1 of one that is neither.
            NaN, so that nothing is claimed and ``np.nanmean`` leaves it out; a number from 0 to 1
            replaces it.

    Raises:
        ShapeError, TypeError, ValueError: see `confusion_matrix`.
    """
    matrix = confusion_matrix(predictions, labels, classes)
    return class_report(matrix, zero_division=zero_division)


def class_report(matrix: npt.ArrayLike, *, zero_division: float = math.nan) -> ClassReport:
    """As `precision_recall`, from a confusion matrix (rows true, columns predicted).

    Raises:
        ShapeError: the matrix is not square.
        ValueError: ``zero_division`` is neither NaN nor from 0 to 1.
    """
    counts = np.asarray(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ShapeError(f"matrix must have shape (K, K), got {counts.shape}")
    if not (isinstance(zero_division, float) and math.isnan(zero_division)):
        zero_division = finite_float(zero_division, "zero_division", 0, 1)
    right, true, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    return ClassReport(
        precision=_fraction(right, predicted, zero_division),
        recall=_fraction(right, true, zero_division),
        f1=_fraction(2 * right, true + predicted, zero_division),
        support=true.astype(np.int64),
    )


def _predicted_and_true(
    predictions: Any, labels: Any, classes: int | None
) -> tuple[IntArray, IntArray, int | None]:
    """Predicted and true labels, and the number of classes where it is known."""
    if classes is not None:
        classes = positive_int(classes, "classes")
    if np.ndim(predictions) == 1:
        predicted = class_labels(predictions, "predictions", classes=classes)
    else:
        z = class_scores(predictions, "predictions")
        if classes not in (None, z.shape[1]):
            raise ValueError(
                f"classes must be {z.shape[1]}, as many as predictions have, got {classes}"
            )
        classes = z.shape[1]
        predicted = z.argmax(axis=1).astype(np.int64)
    true = class_labels(labels, "labels", count=len(predicted), classes=classes)
    return predicted, true, classes


def _fraction(
    part: npt.NDArray[Any], whole: npt.NDArray[Any], otherwise: float
) -> npt.NDArray[np.float64]:
    result = np.full(part.shape, otherwise, dtype=np.float64)
    np.divide(part, whole, out=result, where=whole != 0)
    return result


def _refuse_empty(labels: IntArray) -> None:
    if labels.size == 0:
        raise ShapeError("labels must hold at least one sample, got none: 0/0 is no accuracy")
