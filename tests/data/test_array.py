"""Data sets in memory, their parts, and the rule for the order of axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn.data import ArrayDataset, Dataset, Subset, split
from minicnn.errors import ShapeError
from minicnn.tensor import Tensor


def numbered(count: int, classes: int = 3) -> ArrayDataset:
    """Pictures of one pixel whose value tells which one it is."""
    values = np.arange(count, dtype=np.float32).reshape(count, 1, 1, 1)
    return ArrayDataset(values, np.arange(count) % classes, [str(k) for k in range(classes)])


def test_it_is_a_dataset() -> None:
    dataset = numbered(5)
    assert isinstance(dataset, Dataset)
    assert isinstance(dataset.subset([1]), Dataset)
    assert len(dataset) == 5
    assert dataset.labels.dtype == np.int64


@pytest.mark.parametrize(
    "shape", [(4, 5, 6), (4, 5, 6, 1), (4, 5, 6, 3), (4, 5, 6, 4), (4, 1, 1, 2)]
)
def test_8_bit_pictures_are_divided_by_255_as_tensors_are(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    dataset = ArrayDataset(images, np.zeros(4, dtype=int))
    batch, _ = dataset.batch(np.arange(4))
    assert batch.dtype == np.float32
    assert batch.flags.c_contiguous
    assert dataset.image_shape == batch.shape[1:]
    np.testing.assert_array_equal(batch, Tensor.from_images(images).data)


def test_every_8_bit_value_is_divided_exactly() -> None:
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    batch, _ = ArrayDataset(images, [0]).batch([0])
    np.testing.assert_array_equal(batch.ravel(), np.arange(256, dtype=np.float32) / np.float32(255))


def test_floats_are_channels_first_and_taken_as_they_are() -> None:
    images = np.random.default_rng(0).normal(size=(4, 3, 5, 6))
    dataset = ArrayDataset(images, [0, 1, 1, 0])
    assert dataset.image_shape == (3, 5, 6)
    np.testing.assert_array_equal(dataset.batch([2, 2])[0], images[[2, 2]].astype(np.float32))
    assert dataset.classes == ["0", "1"]


def test_a_batch_belongs_to_the_caller() -> None:
    images = np.ones((3, 1, 2, 2), dtype=np.float32)
    dataset = ArrayDataset(images, [0, 1, 2])
    batch, labels = dataset.batch([0, 1, 2])
    batch[:] = 7
    labels[:] = 7
    assert (dataset.batch([0])[0] == 1).all()
    assert dataset.labels.tolist() == [0, 1, 2]


def test_memory_of_8_bit_pictures_is_shared() -> None:
    images = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    assert np.shares_memory(ArrayDataset(images, [0, 0]).images, images)


def test_the_order_of_axes_can_be_given() -> None:
    first = np.zeros((2, 3, 8, 8), dtype=np.uint8)
    assert ArrayDataset(first, [0, 0], channels_last=False).image_shape == (3, 8, 8)
    last = np.zeros((2, 8, 8, 3), dtype=np.float32)
    assert ArrayDataset(last, [0, 0], channels_last=True).image_shape == (3, 8, 8)
    deep = np.zeros((2, 16, 8, 4), dtype=np.float32)
    assert ArrayDataset(deep, [0, 0], channels_last=False).image_shape == (16, 8, 4)
    features = np.zeros((2, 16, 1, 1), dtype=np.float32)
    assert ArrayDataset(features, [0, 0]).image_shape == (16, 1, 1)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (np.zeros((2, 3, 8, 8), "u1"), ShapeError, "uint8 images.*channels_last=False"),
        (np.zeros((2, 8, 8, 3), "f4"), ShapeError, "float images.*channels_last=True"),
        (np.zeros((2, 8), "u1"), ShapeError, r"must have shape .*got \(2, 8\)"),
        (np.zeros((2, 0, 8), "u1"), ShapeError, "at least one pixel"),
        (np.zeros((2, 8, 8), "i8"), TypeError, r"got dtype int64; .*astype\('uint8'\)"),
        (np.full((2, 8, 8), np.nan), ValueError, "NaN"),
        (np.full((2, 8, 8), 1e300), ValueError, "finite in float32"),
    ],
)
def test_images_that_cannot_be_are_refused(
    images: npt.NDArray[Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ArrayDataset(images, [0, 0])


@pytest.mark.parametrize(
    ("labels", "classes", "error", "message"),
    [
        ([0], None, ShapeError, r"labels must have shape \(2,\)"),
        ([[0], [1]], None, ShapeError, "labels must have shape"),
        ([0, -1], None, ValueError, "got -1 at index 1"),
        ([0, 2], ["a", "b"], ValueError, "from 0 to 1, got 2 at index 1"),
        ([0, 0.5], None, ValueError, "must be integers"),
        ([0, 1], "ab", TypeError, "classes must be a list of names"),
        ([0, 1], [0, 1], TypeError, "classes must be a list of names"),
        ([0, 1], ["a", "a"], ValueError, "'a' twice"),
    ],
)
def test_labels_that_cannot_be_are_refused(
    labels: Any, classes: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ArrayDataset(np.zeros((2, 4, 4), "u1"), labels, classes)


@pytest.mark.parametrize(
    ("indices", "error"),
    [([5], IndexError), ([-1], IndexError), ([[0]], ValueError), ([0.0], TypeError)],
)
def test_wrong_indices_are_refused(indices: Any, error: type[Exception]) -> None:
    for dataset in (numbered(5), numbered(9).subset(range(5))):
        with pytest.raises(error):
            dataset.batch(indices)


def test_an_empty_data_set_gives_empty_batches() -> None:
    dataset = ArrayDataset(np.zeros((0, 4, 5), "u1"), [])
    assert len(dataset) == 0
    assert dataset.classes == []
    images, labels = dataset.batch([])
    assert images.shape == (0, 1, 4, 5)
    assert labels.shape == (0,)


@given(data=st.data(), count=st.integers(1, 20))
def test_a_subset_of_a_subset_counts_within_itself(data: st.DataObject, count: int) -> None:
    dataset = numbered(count)
    outer = data.draw(st.lists(st.integers(0, count - 1), min_size=1))
    inner = data.draw(st.lists(st.integers(0, len(outer) - 1), min_size=1))
    part = dataset.subset(outer).subset(inner)
    images, labels = part.batch(np.arange(len(inner)))
    expected = np.array(outer)[inner]
    assert images.ravel().tolist() == expected.tolist()
    assert labels.tolist() == part.labels.tolist() == (expected % 3).tolist()
    assert part.classes == dataset.classes
    assert part.image_shape == (1, 1, 1)


@given(
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=5),
    weights=st.lists(st.integers(1, 8), min_size=1, max_size=4),
    seed=st.integers(0, 5),
)
def test_a_split_is_a_partition_and_fair_to_every_class(
    counts: list[int], weights: list[int], seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    shares = [weight / sum(weights) for weight in weights]
    dataset = ArrayDataset(np.zeros((len(labels), 1, 1), "u1"), labels)
    if min(shares) * len(labels) < 2:  # so few that a part may come out empty
        return
    parts = dataset.split(shares, seed)
    together = np.concatenate([part.indices for part in parts])
    assert sorted(together.tolist()) == list(range(len(labels)))
    for part, share in zip(parts, shares, strict=True):
        assert (np.diff(part.indices) > 0).all()
        assert abs(len(part) - share * len(labels)) < 2
        found = np.bincount(part.labels, minlength=len(counts))
        assert (abs(found - share * np.array(counts)) < 3).all()


def test_a_split_depends_on_its_seed_alone() -> None:
    dataset = numbered(100)
    first, again, other = (dataset.split(seed=seed)[0].indices for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert [len(part) for part in dataset.split()] == [80, 10, 10]


def test_a_split_may_leave_pictures_out() -> None:
    parts = split(numbered(100), [0.2, 0.1])
    assert [len(part) for part in parts] == [20, 10]
    assert all(isinstance(part, Subset) for part in parts)


@pytest.mark.parametrize("fractions", [[], [0.8, 0.3], [1.0, 0.0], [-0.1]])
def test_fractions_that_cannot_be_are_refused(fractions: list[float]) -> None:
    with pytest.raises(ValueError, match="fractions must be"):
        split(numbered(10), fractions)
    with pytest.raises(TypeError, match="fractions must be a list such as"):
        split(numbered(10), 0.5)  # type: ignore[arg-type]


def test_too_few_pictures_to_split_are_refused() -> None:
    with pytest.raises(ValueError, match=r"2 pictures are too few for a part of 0\.1"):
        split(numbered(2), [0.8, 0.1, 0.1])
