"""Batches of a data set, in an order that can be repeated and taken up in the middle."""

from __future__ import annotations

import weakref
from collections.abc import Generator, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import DataError, describe, nonnegative_int, positive_int
from ..tensor import Tensor
from .augment import Augmentation
from .base import Dataset, IntArray
from .prefetch import prefetched

Batch = tuple[Tensor, IntArray]


class DataLoader:
    """Hands out a data set batch by batch: ``for x, labels in loader``.

    A pass over the loader is an epoch. Its order is a permutation that depends on (seed, epoch)
    alone, and the augmentation of a batch on (seed, epoch, number of the batch) alone, so that a
    run can be repeated, and taken up anywhere: save `state_dict`, and after `load_state_dict` the
    next pass continues with the batch that would have come.

    Each pass begins at the first batch, also when the one before was left early; an epoch counts
    once its pass has come to its end.

    Args:
        dataset: What to load; see `Dataset`.
        batch_size: Pictures per batch; the last one of an epoch may be smaller.
        shuffle: A new random order each epoch; otherwise the data set's own.
        seed: Of order and augmentation.
        augment: ``augment(images, rng) -> images`` changes each batch; see `minicnn.data.augment`.
        drop_last: Leave out a last batch that is smaller than the others.
        prefetch: So many batches at most are made ahead, by a thread in the background; 0 makes
            each when it is asked for. What comes, and in what order, is the same. The data set's
            ``batch`` and ``augment`` are then called from that thread. None is 2 for a data set
            that decodes its pictures from files (its ``decodes`` says so), where the trainer would
            wait for each batch, and 0 for pictures in memory, which are there at once.

    Yields:
        (x, labels): a float32 Tensor B×C×H×W and int64 labels (B,), the caller's to keep: they are
        never written to again.

    Raises:
        TypeError, ValueError: an argument that cannot be, or ``drop_last`` would leave no batch.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        augment: Augmentation | None = None,
        drop_last: bool = False,
        prefetch: int | None = None,
    ) -> None:
        if augment is not None and not callable(augment):
            raise TypeError(f"augment must be a function (images, rng) -> images, got {augment!r}")
        if not isinstance(dataset, Dataset):
            raise TypeError(
                f"dataset must be a data set, such as minicnn.data.digits() or "
                f"ArrayDataset(images, labels), got {describe(dataset)}"
            )
        self.dataset = dataset
        self.batch_size = positive_int(batch_size, "batch_size")
        self.shuffle = bool(shuffle)
        self.seed = nonnegative_int(seed, "seed")
        self.augment = augment
        self.drop_last = bool(drop_last)
        if prefetch is None:
            prefetch = 2 if getattr(dataset, "decodes", False) else 0
        self.prefetch = nonnegative_int(prefetch, "prefetch")
        if self.drop_last and 0 < len(dataset) < self.batch_size:
            raise ValueError(
                f"drop_last would leave no batch: batch_size is {self.batch_size} and there are "
                f"{len(dataset)} pictures"
            )
        self._epoch = 0
        self._batch = 0
        self._resume = False
        self._pass: weakref.ref[_Pass] | None = None

    @property
    def epoch(self) -> int:
        """The number of the pass under way, or of the next one; counts up after each full pass.

        May be set, to go to the beginning of another epoch.
        """
        return self._epoch

    @epoch.setter
    def epoch(self, value: int) -> None:
        self._go_to(nonnegative_int(value, "epoch"), 0)

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def order(self, epoch: int) -> IntArray:
        """The indices of the pictures in the order in which ``epoch`` brings them, int64 (N,)."""
        if not self.shuffle:
            return np.arange(len(self.dataset))
        sequence = np.random.SeedSequence((self.seed, epoch))
        return np.random.default_rng(sequence).permutation(len(self.dataset))

    def __iter__(self) -> Iterator[Batch]:
        if not self._resume:
            self._batch = 0
        self._resume = False
        current = _Pass(self)
        self._pass = weakref.ref(current)
        return current

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands: {"epoch", "batch", "seed", "of"}; JSON-able.

        "batch" counts the batches of this epoch that have been handed out, not those that are made
        ahead. "of" tells what it loads, and how, from anything else.
        """
        own = {"epoch": self._epoch, "batch": self._batch, "seed": self.seed}
        return {**own, "of": self._description()}

    def differences(self, state: Mapping[str, Any]) -> list[str]:
        """In words, what this loader loads otherwise than the one that ``state`` was taken of.

        Of what ``state`` does not tell nothing is said.
        """
        before = state.get("of") if isinstance(state, Mapping) else None
        before, now = before if isinstance(before, Mapping) else {}, self._description()
        changed = [name for name in now if name in before and before[name] != now[name]]
        if "pictures" in changed and "labels" in changed:
            changed.remove("labels")  # goes without saying
        return [
            "other labels" if name == "labels" else f"{name} {before[name]} → {now[name]}"
            for name in changed
        ]

    @cached_property
    def _labels_digest(self) -> str:
        """The SHA-256 of the labels: taken once, for every checkpoint asks."""
        import hashlib

        labels = np.ascontiguousarray(self.dataset.labels, "<i8")
        return hashlib.sha256(labels.tobytes()).hexdigest()

    def _description(self) -> dict[str, Any]:
        return {
            "pictures": len(self.dataset),
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
            "augment": self.augment is not None,
            "labels": self._labels_digest,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken: the next pass brings the rest of that epoch.

        In the middle of an epoch, the data set, ``batch_size``, ``shuffle`` and ``drop_last`` must
        be what they were then, and there must be an ``augment`` if there was one. The seed is taken
        over.

        Raises:
            KeyError, TypeError, ValueError: this is no such state, or it is of other data.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"state must be what state_dict() gave, got {describe(state)}")
        missing = {"epoch", "batch", "seed"} - set(state)
        if missing:
            raise KeyError(f"the state of a DataLoader lacks {', '.join(sorted(missing))}")
        if not isinstance(state.get("of", {}), Mapping):
            raise TypeError(f"state['of'] must be a dict, got {describe(state['of'])}")
        epoch, batch, seed = (
            nonnegative_int(state[key], f"state[{key!r}]") for key in ("epoch", "batch", "seed")
        )
        if batch > len(self):
            raise ValueError(
                f"state['batch'] is {batch}, but an epoch has {len(self)} batches of "
                f"{self.batch_size}: was it saved with another data set or batch_size?"
            )
        changed = self.differences(state)
        if batch > 0 and changed:
            raise ValueError(
                f"the state was taken in the middle of an epoch of something else: "
                f"{'; '.join(changed)}"
            )
        self.seed = seed
        self._go_to(epoch, batch)

    def _go_to(self, epoch: int, batch: int) -> None:
        self._pass = None  # a pass under way no longer speaks for this loader
        self._epoch, self._batch, self._resume = epoch, batch, True

    def _note(self, which: _Pass, batch: int) -> None:
        """The pass ``which`` has handed out so many batches of its epoch."""
        if self._pass is not None and self._pass() is which:
            self._batch = batch

    def _finish(self, which: _Pass) -> None:
        """The pass ``which`` has come to its end."""
        if self._pass is not None and self._pass() is which:
            self._pass = None
            self._epoch, self._batch = self._epoch + 1, 0

    def __repr__(self) -> str:
        return (
            f"DataLoader({self.dataset!r}, batch_size={self.batch_size}, shuffle={self.shuffle}, "
            f"seed={self.seed})"
        )


class _Pass(Iterator[Batch]):
    """One pass over a loader, from where the loader stands."""

    def __init__(self, loader: DataLoader) -> None:
        self._loader = loader
        self._received = loader._batch
        self._over = False
        self._batches: Generator[Batch, None, None] | prefetched[Batch]
        self._batches = _batches(loader, loader._epoch, loader._batch)
        if loader.prefetch:
            self._batches = prefetched(self._batches, loader.prefetch)

    def __next__(self) -> Batch:
        if self._over:
            raise StopIteration
        try:
            batch = next(self._batches)
        except BaseException as error:
            self._over = True
            if isinstance(error, StopIteration):
                self._loader._finish(self)
            raise
        self._received += 1
        self._loader._note(self, self._received)
        return batch

    def close(self) -> None:
        """End the pass early, and with it the thread that makes batches ahead."""
        self._over = True
        self._batches.close()


def _batches(loader: DataLoader, epoch: int, first: int) -> Generator[Batch, None, None]:
    """The batches of ``epoch`` from number ``first`` on, as the loader is set up now."""
    order, size, seed = loader.order(epoch), loader.batch_size, loader.seed
    dataset, augment = loader.dataset, loader.augment

    def make(number: int) -> Batch:
        indices = order[number * size : (number + 1) * size]
        images, labels = dataset.batch(indices)
        if augment is not None:
            # The spawn key keeps this stream apart from that of the order.
            sequence = np.random.SeedSequence((seed, epoch), spawn_key=(number,))
            images = augment(images, np.random.default_rng(sequence))
            if images is None:
                raise DataError(f"augment returned None for a batch of {len(indices)} pictures")
        if len(images) != len(indices) or len(labels) != len(indices):
            raise DataError(
                f"a batch of {len(indices)} pictures came as {len(images)} pictures and "
                f"{len(labels)} labels from {dataset!r}"
            )
        return Tensor(images), labels

    # A generator expression fixes all of this now; a function with yield would at the first batch.
    return (make(number) for number in range(first, len(loader)))
