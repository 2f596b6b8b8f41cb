"""What a data set is to the rest of minicnn, and parts of one: `Subset` and `split`.

A data set hands out whole batches, because that is what training wants and what NumPy is fast at:
``batch(indices)`` gives the pictures as float32 B×C×H×W and their labels as int64 (B,).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..errors import describe, finite_float, nonnegative_int

IntArray = npt.NDArray[np.int64]
FloatImages = npt.NDArray[np.float32]


@runtime_checkable
class Dataset(Protocol):
    """Labelled pictures of one size: what `DataLoader` and the trainer need, and nothing more."""

    def __len__(self) -> int:
        """The number of pictures, N."""

    @property
    def classes(self) -> list[str]:
        """The name of each class; label k means ``classes[k]``."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every picture."""

    @property
    def labels(self) -> IntArray:
        """The label of every picture, int64 (N,)."""

    def batch(self, indices: npt.ArrayLike) -> tuple[FloatImages, IntArray]:
        """The pictures at ``indices``, in that order.

        Returns:
            (images, labels): float32 B×C×H×W, as a rule with values from 0 to 1, and int64 (B,);
            fresh arrays that the caller may keep and change.

        Raises:
            IndexError: an index below 0, or of N and more.
        """


class Splittable:
    """Adds ``subset`` and ``split`` to a data set."""

    @property
    def decodes(self) -> bool:
        """Whether ``batch`` decodes pictures from files, which is worth a thread ahead."""
        return False

    def subset(self: Dataset, indices: npt.ArrayLike) -> Subset:
        """The pictures at ``indices`` as a data set of their own; nothing is copied."""
        return Subset(self, indices)

    def split(
        self: Dataset, fractions: Sequence[float] = (0.8, 0.1, 0.1), seed: int = 0
    ) -> list[Subset]:
        """Parts of the data set that share no picture; see `split`."""
        return split(self, fractions, seed)


class Subset(Splittable):
    """Some pictures of another data set, in the order of ``indices``.

    Args:
        dataset: The data set they come from; it keeps the pictures.
        indices: Where they stand in it; repeated ones are allowed.

    Raises:
        TypeError, ValueError, IndexError: the indices are not a list of whole numbers below N.
    """

    def __init__(self, dataset: Dataset, indices: npt.ArrayLike) -> None:
        self.dataset = dataset
        self.indices = check_indices(indices, len(dataset))
        self.labels: IntArray = dataset.labels[self.indices]

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def classes(self) -> list[str]:
        """The classes of the whole data set, whether or not they all occur here."""
        return self.dataset.classes

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every picture."""
        return self.dataset.image_shape

    @property
    def decodes(self) -> bool:
        """Whether the whole data set does."""
        return bool(getattr(self.dataset, "decodes", False))

    def batch(self, indices: npt.ArrayLike) -> tuple[FloatImages, IntArray]:
        """See `Dataset.batch`; the indices count within this part."""
        return self.dataset.batch(self.indices[check_indices(indices, len(self))])

    def __repr__(self) -> str:
        return f"Subset({len(self)} of {self.dataset!r})"


def check_indices(indices: npt.ArrayLike, length: int) -> IntArray:
    """``indices`` as an int64 array (B,), every one from 0 to ``length`` - 1.

    Raises:
        TypeError: they are not integers.
        ValueError: they have another number of axes than one.
        IndexError: one is out of range.
    """
    array: npt.NDArray[Any] = np.asarray(indices)
    if array.ndim != 1:
        raise ValueError(f"indices must be one list of integers, got shape {array.shape}")
    if array.size == 0:
        return np.zeros(0, dtype=np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"indices must be integers, got dtype {array.dtype}")
    outside = (array < 0) | (array >= length)
    if outside.any():
        raise IndexError(f"index {array[outside.argmax()]} is out of range for {length} pictures")
    return array.astype(np.int64, copy=False)


def split(
    dataset: Dataset, fractions: Sequence[float] = (0.8, 0.1, 0.1), seed: int = 0
) -> list[Subset]:
    """Divide a data set at random into parts that share no picture.

    Every class is divided in the same proportion, as nearly as whole numbers allow: the pictures
    are shuffled, lined up class after class, and dealt out one by one, each to the part that lags
    furthest behind its share. The same (labels, fractions, seed) always give the same parts.

    Args:
        dataset: What to divide.
        fractions: The share of each part; they sum to 1 (train, valid and test as 8:1:1 by
            default), or to less, which leaves the rest of the pictures out.
        seed: Seeds the shuffling.

    Returns:
        One `Subset` for each fraction, its indices rising.

    Raises:
        TypeError: ``fractions`` is no list.
        ValueError: a fraction that is not above 0, or a sum above 1; or a part would be empty.
    """
    if not isinstance(fractions, Sequence) or isinstance(fractions, str):
        raise TypeError(f"fractions must be a list such as (0.9, 0.1), got {describe(fractions)}")
    shares = [finite_float(share, "fractions", above=0, maximum=1) for share in fractions]
    if not shares or sum(shares) > 1 + 1e-9:
        raise ValueError(
            f"fractions must be shares above 0 that sum to at most 1, got {describe(fractions)}"
        )
    labels = np.asarray(dataset.labels)
    order = np.random.default_rng(nonnegative_int(seed, "seed")).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    parts = _deal(len(labels), [*shares, max(0.0, 1 - sum(shares))])
    subsets = [Subset(dataset, np.sort(order[parts == k])) for k in range(len(shares))]
    for k, subset in enumerate(subsets):
        if not len(subset):
            raise ValueError(
                f"split: {len(labels)} pictures are too few for a part of {shares[k]:g} of them"
            )
    return subsets


def _deal(count: int, shares: Sequence[float]) -> IntArray:
    """For each of ``count`` items in a row the number of the part that it goes to."""
    parts = np.empty(count, dtype=np.int64)
    behind = [0.0] * len(shares)
    numbers = range(len(shares))
    for item in range(count):
        for k in numbers:
            behind[k] += shares[k]
        part = max(numbers, key=behind.__getitem__)
        behind[part] -= 1.0
        parts[item] = part
    return parts
