from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import Tensor
from minicnn.errors import ShapeError
from minicnn.metrics import (
    ClassReport,
    accuracy,
    class_report,
    confusion_matrix,
    precision_recall,
    topk_accuracy,
)


@st.composite
def classified(draw: Any) -> tuple[Any, Any]:
    """Scores of few different values, so that ties are frequent, and labels."""
    B, K = draw(st.integers(1, 12)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scores = rng.integers(-2, 3, (B, K)).astype(draw(st.sampled_from([np.float32, np.float64])))
    return scores, rng.integers(0, K, B)


class TestAccuracy:
    @given(data=classified())
    def test_counts_what_is_right(self, data: tuple[Any, Any]) -> None:
        scores, labels = data
        right = sum(
            int(max(range(len(row)), key=row.__getitem__) == label)
            for row, label in zip(scores.tolist(), labels, strict=True)
        )
        assert accuracy(scores, labels) == pytest.approx(right / len(labels))
        assert accuracy(Tensor.from_features(scores), list(labels)) == accuracy(scores, labels)
        assert accuracy(scores.argmax(axis=1), labels) == accuracy(scores, labels)
        assert accuracy(scores[:, :, None, None], labels) == accuracy(scores, labels)

    def test_predicted_labels_need_no_number_of_classes(self) -> None:
        assert accuracy([0, 7, 100, 3], [0, 7, 100, 4]) == 0.75
        assert type(accuracy([0], [0])) is float


class TestTopK:
    @given(data=classified())
    def test_ranks_every_class_once(self, data: tuple[Any, Any]) -> None:
        scores, labels = data
        K = scores.shape[1]
        assert topk_accuracy(scores, labels, 1) == accuracy(scores, labels)
        assert topk_accuracy(Tensor.from_features(scores), labels, K) == 1
        values = [topk_accuracy(scores, labels, k) for k in range(1, K + 1)]
        assert values == sorted(values)
        every_class = [topk_accuracy(scores[:1], [label], K // 2 + 1) for label in range(K)]
        assert sum(every_class) == K // 2 + 1  # among equals too, exactly k classes are "in"

    def test_by_hand(self) -> None:
        scores = [[0.1, 0.5, 0.4], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6]]
        assert topk_accuracy(scores, [2, 2, 0], 1) == 0
        assert topk_accuracy(scores, [2, 2, 0], 2) == pytest.approx(2 / 3)
        assert topk_accuracy(scores, [2, 2, 1], 2) == pytest.approx(1 / 3)
        assert topk_accuracy(np.tile(np.arange(9.0), (1, 1)), [4]) == 1  # k is 5 at first
        assert topk_accuracy(np.tile(np.arange(9.0), (1, 1)), [3]) == 0

    def test_nan_is_the_highest_score_as_in_argmax(self) -> None:
        scores = np.array([[5.0, np.nan, 1.0]])
        for label in range(3):
            assert topk_accuracy(scores, [label], 1) == accuracy(scores, [label]) == (label == 1)


class TestConfusionMatrix:
    @given(data=classified())
    def test_counts_pairs(self, data: tuple[Any, Any]) -> None:
        scores, labels = data
        K = scores.shape[1]
        matrix = confusion_matrix(scores, labels)
        expected = np.zeros((K, K), int)
        for true, predicted in zip(labels, scores.argmax(axis=1), strict=True):
            expected[true, predicted] += 1
        assert matrix.dtype == np.int64
        np.testing.assert_array_equal(matrix, expected)
        assert np.trace(matrix) / matrix.sum() == pytest.approx(accuracy(scores, labels))
        np.testing.assert_array_equal(
            confusion_matrix(scores.argmax(axis=1), labels, classes=K), expected
        )

    def test_rows_are_true_and_columns_predicted(self) -> None:
        assert confusion_matrix([1, 1, 2], [0, 1, 2]).tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 1]]

    def test_parts_of_a_set_add_up(self) -> None:
        rng = np.random.default_rng(0)
        predicted, labels = rng.integers(0, 4, (2, 50))
        parts = sum(
            confusion_matrix(predicted[part], labels[part], classes=4)
            for part in (slice(20), slice(20, 50))
        )
        np.testing.assert_array_equal(parts, confusion_matrix(predicted, labels))

    def test_no_samples_are_no_counts(self) -> None:
        assert confusion_matrix([], [], classes=2).tolist() == [[0, 0], [0, 0]]
        assert confusion_matrix(np.zeros((0, 2)), []).tolist() == [[0, 0], [0, 0]]
        assert confusion_matrix([], []).shape == (0, 0)


class TestPrecisionRecall:
    @given(data=classified())
    def test_are_the_definitions(self, data: tuple[Any, Any]) -> None:
        scores, labels = data
        predicted = scores.argmax(axis=1)
        report = precision_recall(scores, labels, zero_division=0.0)
        for k in range(scores.shape[1]):
            tp = np.sum((predicted == k) & (labels == k))
            fp = np.sum((predicted == k) & (labels != k))
            fn = np.sum((predicted != k) & (labels == k))
            assert report.precision[k] == pytest.approx(tp / (tp + fp) if tp + fp else 0)
            assert report.recall[k] == pytest.approx(tp / (tp + fn) if tp + fn else 0)
            p, r = report.precision[k], report.recall[k]
            assert report.f1[k] == pytest.approx(2 * p * r / (p + r) if p + r else 0)
            assert report.support[k] == tp + fn
        assert report.support.sum() == len(labels) and report.support.dtype == np.int64

    def test_zero_by_zero_is_nan_unless_told(self) -> None:
        # class 1 is never predicted, class 2 does not occur, class 3 is neither
        report = precision_recall([0, 0, 2], [0, 1, 0], classes=4)
        np.testing.assert_array_equal(report.precision, [0.5, np.nan, 0, np.nan])
        np.testing.assert_array_equal(report.recall, [0.5, 0, np.nan, np.nan])
        np.testing.assert_array_equal(report.f1, [0.5, 0, 0, np.nan])
        np.testing.assert_array_equal(report.support, [2, 1, 0, 0])
        filled = precision_recall([0, 0, 2], [0, 1, 0], classes=4, zero_division=1)
        np.testing.assert_array_equal(filled.precision, [0.5, 1, 0, 1])

    def test_a_matrix_is_as_good_as_its_samples(self) -> None:
        predicted, labels = [0, 1, 1, 2], [0, 1, 2, 2]
        from_matrix = class_report(confusion_matrix(predicted, labels))
        from_samples = precision_recall(predicted, labels)
        assert isinstance(from_matrix, ClassReport)
        for left, right in zip(from_matrix, from_samples, strict=True):
            np.testing.assert_array_equal(left, right)


two_by_three = np.zeros((2, 3))
report_with: Any = class_report


@pytest.mark.parametrize("metric", [accuracy, topk_accuracy, confusion_matrix, precision_recall])
@pytest.mark.parametrize(
    ("predictions", "labels", "error", "message"),
    [
        (two_by_three, [0, 3], ValueError, "labels must be from 0 to 2, got 3 at index 1"),
        (two_by_three, [0], ShapeError, r"labels must have shape \(2,\)"),
        (np.zeros((2, 3, 4, 4)), [0, 1], ShapeError, r"must have shape \(B, K, 1, 1\) or \(B, K\)"),
        (two_by_three, np.eye(3)[:2], ShapeError, r"labels.argmax\(axis=1\)"),
        (two_by_three, [0.5, 1], ValueError, "labels must be integers, got 0.5 at index 0"),
    ],
)
def test_every_metric_names_what_is_wrong(
    metric: Any, predictions: Any, labels: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        metric(predictions, labels, **({"k": 1} if metric is topk_accuracy else {}))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: accuracy([], []), ShapeError, "labels must hold at least one sample"),
        (lambda: topk_accuracy(np.zeros((0, 9)), []), ShapeError, "at least one sample"),
        (lambda: topk_accuracy(two_by_three, [0, 1]), ValueError, "k must be at most .* 3, got 5"),
        (lambda: topk_accuracy(two_by_three, [0, 1], 0), ValueError, "k must be an integer"),
        (lambda: topk_accuracy([0, 1], [0, 1], 1), ShapeError, "scores must have shape"),
        (lambda: accuracy([0, -1], [0, 1]), ValueError, "predictions must be at least 0, got -1"),
        (lambda: accuracy([0, 1.5], [0, 1]), ValueError, "predictions must be integers"),
        (
            lambda: confusion_matrix([0, 5], [0, 1], 3),
            ValueError,
            "predictions must be from 0 to 2",
        ),
        (lambda: confusion_matrix(two_by_three, [0, 1], 4), ValueError, "classes must be 3"),
        (lambda: confusion_matrix([0], [0], 0), ValueError, "classes must be an integer"),
        (lambda: class_report(two_by_three), ShapeError, r"matrix must have shape \(K, K\)"),
        (lambda: report_with(np.eye(2), zero_division=2), ValueError, "zero_division must be"),
        (lambda: report_with(np.eye(2), zero_division=math.inf), ValueError, "zero_division must"),
        (lambda: report_with(np.eye(2), zero_division="warn"), TypeError, "zero_division must"),
    ],
)
def test_bad_arguments_are_named(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
