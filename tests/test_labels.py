from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minicnn import Tensor
from minicnn.errors import ShapeError
from minicnn.labels import class_labels, class_scores


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 1, 1), (0, 3), (1, 1)])
def test_scores_become_a_matrix(shape: tuple[int, ...]) -> None:
    scores = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    matrix = class_scores(scores, "logits")
    assert matrix.shape == shape[:2]
    assert np.shares_memory(matrix, scores) or scores.size == 0
    if scores.ndim == 4:
        np.testing.assert_array_equal(class_scores(Tensor(scores), "logits"), matrix)


@pytest.mark.parametrize(
    "shape", [(), (3,), (4, 0), (4, 3, 2), (4, 3, 2, 1), (4, 3, 5, 5), (1, 0, 1, 1)]
)
def test_scores_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"logits must have shape \(B, K, 1, 1\) or \(B, K\)"):
        class_scores(np.zeros(shape, np.float32), "logits")


def test_feature_maps_are_refused_with_a_way_out() -> None:
    with pytest.raises(ShapeError, match=r"got \(4, 3, 5, 5\); let the net end with Flatten"):
        class_scores(np.zeros((4, 3, 5, 5), np.float32), "logits")


@pytest.mark.parametrize(
    "labels",
    [
        [2, 0, 1],
        (2, 0, 1),
        [2.0, 0.0, 1.0],
        np.array([2, 0, 1], np.uint8),
        np.array([2, 0, 1], np.uint64),
        np.array([2, 0, 1], ">i4"),
        np.array([2, 0, 1], np.float16),
        np.array([2, 9, 0, 9, 1, 9])[::2],
    ],
)
def test_every_kind_of_whole_number_is_a_label(labels: Any) -> None:
    result = class_labels(labels, "labels", count=3, classes=3)
    assert result.dtype == np.int64 and result.tolist() == [2, 0, 1]
    assert result.flags.c_contiguous


def test_labels_are_copied_and_may_be_booleans_or_none_at_all() -> None:
    labels = np.array([1, 2])
    assert not np.shares_memory(class_labels(labels, "labels"), labels)
    assert class_labels([True, False], "labels", classes=2).tolist() == [1, 0]
    assert class_labels([], "labels", count=0).dtype == np.int64


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0, 3, 1], ValueError, "labels must be from 0 to 2, got 3 at index 1"),
        ([0, 1, -1], ValueError, "labels must be from 0 to 2, got -1 at index 2"),
        (np.array([0, 2**63, 1], np.uint64), ValueError, "got 9223372036854775808 at index 1"),
        ([0, 1.5, 1], ValueError, "labels must be integers, got 1.5 at index 1"),
        ([0, np.nan, 1], ValueError, "labels must be integers, got nan at index 1"),
        ([np.inf, 0, 1], ValueError, "labels must be integers, got inf at index 0"),
        (["a", "b", "c"], TypeError, "labels must be integers, got dtype <U1"),
        ([0, None, 1], TypeError, "labels must be integers, got dtype object"),
        ([0, 1j, 1], TypeError, "labels must be integers, got dtype complex128"),
        (
            [0, 1],
            ShapeError,
            r"labels must have shape \(3,\), one for each of 3 samples, got \(2,\)",
        ),
        (np.eye(3), ShapeError, r"got \(3, 3\); for one-hot labels use labels.argmax\(axis=1\)"),
        (1, ShapeError, r"got \(\)"),
        ([[0], [1, 2], [0]], ShapeError, "labels must be one number for each sample"),
    ],
)
def test_what_is_no_label_is_refused(labels: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        class_labels(labels, "labels", count=3, classes=3)


def test_without_the_number_of_classes_only_negative_labels_are_refused() -> None:
    assert class_labels([0, 10**9], "labels").tolist() == [0, 10**9]
    with pytest.raises(ValueError, match="labels must be at least 0, got -2 at index 1"):
        class_labels([0, -2], "labels")
