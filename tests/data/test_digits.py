"""The digits that come with minicnn: real, whole, and the ones that are documented."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import pytest

from minicnn.data import digits, digits_indices, mnist
from minicnn.data.digits import FILE
from minicnn.errors import DataError

Split = Literal["train", "test"]
SPLITS: list[Split] = ["train", "test"]

# Of the values as they are stored; tools/make_digits.py prints them.
SHA256 = {
    "train_images": "4268a77fee33cfac157a73872905fd5d7c031851e8a1f6be3e80739ad1e64c53",
    "train_labels": "654b6a4762193a48c460f7f4b8b12414eed8c19ab71fa976b463c16922ffb9cc",
    "train_indices": "46bea1531902a38eef2624845f23e6ea707135eff7990fe77c44aa8a054657c2",
    "test_images": "4b5cc51684f4c08e75af1f388547cd319ac61cbed21cadee615bf422289ba683",
    "test_labels": "1c04a695af060fbaccf0b2e34076b4997d3c01664e8aed3d551a19a642fa91e8",
    "test_indices": "4eba083e72fb288d932da1202200e5b3b0059978121c126883242663ee73a9a3",
}
# Of each digit in MNIST, 0 to 9.
MNIST_COUNTS = {
    "train": [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    "test": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
}


def sha256(array: npt.NDArray[Any]) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


@pytest.mark.parametrize(("split", "count"), [("train", 10_000), ("test", 2_000)])
def test_size_and_values(split: Split, count: int) -> None:
    dataset = digits(split)
    assert len(dataset) == count
    assert dataset.image_shape == (1, 28, 28)
    assert dataset.classes == list("0123456789")
    assert dataset.images.dtype == np.uint8
    assert sha256(dataset.images) == SHA256[f"{split}_images"]
    assert sha256(dataset.labels.astype(np.uint8)) == SHA256[f"{split}_labels"]
    assert sha256(digits_indices(split).astype("<i4")) == SHA256[f"{split}_indices"]
    images, labels = dataset.batch([0, 1, 2])
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (0, 1)
    np.testing.assert_array_equal(labels, dataset.labels[:3])


@pytest.mark.parametrize("split", SPLITS)
def test_each_digit_comes_as_often_as_in_mnist(split: Split) -> None:
    dataset = digits(split)
    present = np.array(MNIST_COUNTS[split])
    exact = present * len(dataset) / present.sum()
    assert (abs(np.bincount(dataset.labels) - exact) < 1).all()


def test_the_indices_are_different_and_rising() -> None:
    for split, count in (("train", 60_000), ("test", 10_000)):
        indices = digits_indices(cast(Split, split))
        assert indices.dtype == np.int64
        assert indices[0] >= 0
        assert indices[-1] < count
        assert (np.diff(indices) > 0).all()


@pytest.mark.parametrize("split", SPLITS)
def test_they_are_the_pictures_of_mnist(split: Split) -> None:
    if "MINICNN_DATA" not in os.environ:
        pytest.skip("MINICNN_DATA does not name a folder with MNIST")
    whole, sample, indices = mnist(split=split), digits(split), digits_indices(split)
    np.testing.assert_array_equal(sample.images, whole.images[indices])
    np.testing.assert_array_equal(sample.labels, whole.labels[indices])


def test_a_wrong_split_is_refused() -> None:
    with pytest.raises(ValueError, match=r"split must be \"train\" or \"test\", got 'valid'"):
        digits(cast(Split, "valid"))


def test_the_credit_stands_beside_the_file() -> None:
    text = FILE.with_name("ATTRIBUTION.txt").read_text(encoding="utf-8")
    for needed in ("Yann LeCun", "Corinna Cortes", "Christopher J. C. Burges", "CC BY-SA 3.0"):
        assert needed in text
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() in text
    assert FILE.stat().st_size < 2_100_000


def test_a_damaged_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = FILE.read_bytes()
    damaged = data[:500_000] + b"damage" + data[500_006:]
    for content in (data[:-100], b"", b"x" * 100, damaged):
        path = tmp_path / "digits.npz"
        path.write_bytes(content)
        monkeypatch.setitem(digits.__globals__, "FILE", path)
        with pytest.raises(DataError, match="reinstall minicnn"):
            digits("train")
