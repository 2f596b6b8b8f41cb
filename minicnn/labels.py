"""Class scores and class labels, brought into the one form that losses and metrics work with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import ShapeError
from .tensor import FloatArray, as_float_array

IntArray = npt.NDArray[np.int64]


def class_scores(scores: Any, name: str) -> FloatArray:
    """Scores given as B×K×1×1 or B×K, as a C-contiguous float32 or float64 array B×K.

    Raises:
        ShapeError: another shape, or no class at all (K = 0).
        TypeError, ValueError: see `minicnn.tensor.as_float_array`.
    """
    array = as_float_array(scores, name)
    if array.ndim == 4 and array.shape[2:] == (1, 1):
        array = array.reshape(array.shape[:2])
    if array.ndim != 2 or array.shape[1] == 0:
        hint = ""
        if array.ndim == 4 and array.shape[2:] != (1, 1):
            hint = "; let the net end with Flatten and Linear, or with GlobalAvgPool2D"
        raise ShapeError(
            f"{name} must have shape (B, K, 1, 1) or (B, K) with K of at least 1, "
            f"got {array.shape}{hint}"
        )
    return array


def class_labels(
    labels: Any, name: str, *, count: int | None = None, classes: int | None = None
) -> IntArray:
    """Labels as an int64 array of shape (B,): integers, or floats whose values are whole numbers.

    Args:
        labels: Array-like of shape (B,).
        name: What error messages call them.
        count: B, where it is known.
        classes: K, where it is known; labels must then be below it.

    Raises:
        ShapeError: they are not one number for each sample.
        TypeError: they are not numbers.
        ValueError: one is negative, K or more, or no whole number; the message names its index.
    """
    try:
        array = np.asarray(labels)
    except ValueError as error:  # nested lists of unequal lengths
        raise ShapeError(f"{name} must be one number for each sample: {error}") from None
    if array.ndim != 1 or (count is not None and len(array) != count):
        hint = "; for one-hot labels use labels.argmax(axis=1)" if array.ndim == 2 else ""
        expected = "(B,)" if count is None else f"({count},), one for each of {count} samples"
        raise ShapeError(f"{name} must have shape {expected}, got {array.shape}{hint}")
    if array.size == 0:
        return np.zeros(0, dtype=np.int64)
    if array.dtype.kind not in "iubf":
        raise TypeError(f"{name} must be integers, got dtype {array.dtype}")
    if array.dtype.kind == "f":
        whole = np.isfinite(array) & (array == np.floor(array))
        _refuse(array, ~whole, name, "integers")
    below = np.iinfo(np.int64).max if classes is None else classes
    if array.min() < 0 or array.max() >= below:
        expected = "at least 0" if classes is None else f"from 0 to {classes - 1}"
        _refuse(array, (array < 0) | (array >= below), name, expected)
    return array.astype(np.int64)


def _refuse(
    array: npt.NDArray[Any], wrong: npt.NDArray[np.bool_], name: str, expected: str
) -> None:
    if wrong.any():
        index = int(wrong.argmax())
        raise ValueError(f"{name} must be {expected}, got {array[index]} at index {index}")
