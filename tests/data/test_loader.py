"""The loader: every picture once, the same order always, and resuming in the middle of it."""

from __future__ import annotations

import gc
import itertools
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn.data import ArrayDataset, DataLoader
from minicnn.data.augment import RandomShift
from minicnn.errors import DataError
from minicnn.tensor import Tensor

from .test_array import numbered

SIZES = {"count": st.integers(0, 30), "batch_size": st.integers(1, 12)}
PREFETCH = [0, 1, 3]


def noise(images: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
    """An augmentation that shows which random numbers it got."""
    return images + rng.random(images.shape, dtype=np.float32)


def values(batches: Any) -> list[list[float]]:
    return [x.data.ravel().tolist() for x, _ in batches]


def where(loader: DataLoader) -> tuple[int, int, int]:
    state = loader.state_dict()
    return state["epoch"], state["batch"], state["seed"]


def wait_for_threads() -> None:
    """Until the threads that prefetch have ended; they are told to, and need a moment."""
    deadline = time.monotonic() + 20
    while any(thread.name == "minicnn-prefetch" for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "a prefetching thread does not end"
        time.sleep(0.001)


@given(**SIZES, shuffle=st.booleans(), drop_last=st.booleans(), seed=st.integers(0, 2**70))
def test_every_picture_comes_once_in_an_epoch(
    count: int, batch_size: int, shuffle: bool, drop_last: bool, seed: int
) -> None:
    if drop_last and 0 < count < batch_size:
        return
    loader = DataLoader(numbered(count), batch_size, shuffle, seed, drop_last=drop_last)
    for epoch in range(2):
        assert loader.epoch == epoch
        batches = list(loader)
        assert len(batches) == len(loader)
        sizes = [len(x) for x, _ in batches]
        assert all(size == batch_size for size in sizes[:-1])
        seen = [int(value) for value in itertools.chain.from_iterable(values(batches))]
        labels = [label for _, labels in batches for label in labels.tolist()]
        assert labels == [value % 3 for value in seen]
        assert seen == loader.order(epoch)[: len(seen)].tolist()
        if drop_last:
            assert len(seen) == count - count % batch_size
            assert len(set(seen)) == len(seen)
        else:
            assert sorted(seen) == list(range(count))
        if not shuffle:
            assert seen == sorted(seen)


def test_batches_are_tensors_and_labels() -> None:
    x, labels = next(iter(DataLoader(ArrayDataset(np.zeros((5, 3, 4), "u1"), range(5)), 2)))
    assert isinstance(x, Tensor)
    assert x.shape == (2, 1, 3, 4)
    assert x.dtype == np.float32
    assert labels.dtype == np.int64
    assert labels.tolist() == [0, 1]


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return list(DataLoader(numbered(50), 7, shuffle=True, seed=seed).order(epoch))

    orders = {(seed, epoch): order(seed, epoch) for seed in range(4) for epoch in range(4)}
    assert len({tuple(o) for o in orders.values()}) == 16
    assert order(2, 3) == orders[2, 3]
    expected = np.random.default_rng(np.random.SeedSequence((2, 3))).permutation(50)
    assert orders[2, 3] == expected.tolist()
    loader = DataLoader(numbered(50), 7, shuffle=True, seed=2)
    np.random.default_rng(0).random(100)
    loader.epoch = 3
    assert values(loader) == values(DataLoader(numbered(50).subset(orders[2, 3]), 7))


@pytest.mark.parametrize("prefetch", PREFETCH)
def test_augmentation_depends_on_seed_epoch_and_batch_alone(prefetch: int) -> None:
    def loader(seed: int = 1) -> DataLoader:
        dataset = ArrayDataset(np.zeros((12, 1, 1, 2), np.float32), np.zeros(12))
        return DataLoader(dataset, 4, seed=seed, augment=noise, prefetch=prefetch)

    first = loader()
    epochs = [values(first), values(first)]
    again = loader()
    assert [values(again), values(again)] == epochs
    drawn = [tuple(batch) for epoch in epochs for batch in epoch]
    drawn += [tuple(batch) for batch in values(loader(seed=2))]
    assert len(set(drawn)) == 9


def test_order_and_augmentation_use_different_random_numbers() -> None:
    got: list[float] = []

    def spy(images: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
        got.append(rng.random())
        return images

    list(DataLoader(numbered(4), 4, augment=spy, seed=5))
    assert got[0] != np.random.default_rng(np.random.SeedSequence((5, 0))).random()


@given(**SIZES, stop=st.integers(0, 80), shuffle=st.booleans(), drop_last=st.booleans())
@pytest.mark.parametrize("prefetch", PREFETCH)
def test_resuming_anywhere_continues_the_same_stream(
    prefetch: int, count: int, batch_size: int, stop: int, shuffle: bool, drop_last: bool
) -> None:
    if count == 0 or (drop_last and count < batch_size):
        return

    def loader(seed: int = 9) -> DataLoader:
        return DataLoader(
            numbered(count), batch_size, shuffle, seed, noise, drop_last, prefetch=prefetch
        )

    def epochs(loader: DataLoader) -> Any:
        while True:
            yield from loader

    whole = loader()
    per_epoch = len(whole)
    expected = values(itertools.islice(epochs(whole), 3 * per_epoch))
    stop %= 2 * per_epoch + 1
    first = loader()
    before = values(itertools.islice(epochs(first), stop))
    state = json.loads(json.dumps(first.state_dict()))
    assert state["seed"] == 9
    assert state["epoch"] * per_epoch + state["batch"] == stop
    second = loader(seed=0)
    second.load_state_dict(state)
    assert second.state_dict() == state
    after = values(itertools.islice(epochs(second), 3 * per_epoch - stop))
    assert before + after == expected


def test_the_state_counts_what_was_received() -> None:
    for prefetch in PREFETCH:
        loader = DataLoader(numbered(10), 3, prefetch=prefetch)
        assert where(loader) == (0, 0, 0)
        iterator = iter(loader)
        for number in range(4):
            next(iterator)
            assert where(loader) == (0, number + 1, 0)
        with pytest.raises(StopIteration):
            next(iterator)
        assert where(loader) == (1, 0, 0)
        with pytest.raises(StopIteration):
            next(iterator)
        assert loader.epoch == 1


def test_a_pass_left_early_does_not_count_and_the_next_begins_anew() -> None:
    loader = DataLoader(numbered(10), 3, shuffle=True)
    peek, _ = next(iter(loader))
    whole = values(loader)
    assert whole[0] == peek.data.ravel().tolist()
    assert len(whole) == 4
    assert loader.epoch == 1


def test_a_state_taken_after_the_last_batch_leaves_nothing_of_that_epoch() -> None:
    loader = DataLoader(numbered(6), 3)
    iterator = iter(loader)
    next(iterator), next(iterator)
    state = loader.state_dict()
    assert where(loader) == (0, 2, 0)
    other = DataLoader(numbered(6), 3)
    other.load_state_dict(state)
    assert list(other) == []
    assert other.epoch == 1
    assert len(list(other)) == 2


def test_an_older_pass_no_longer_speaks_for_the_loader() -> None:
    loader = DataLoader(numbered(9), 3)
    old = iter(loader)
    next(old)
    new = iter(loader)
    assert loader.state_dict()["batch"] == 0
    next(old)
    assert loader.state_dict()["batch"] == 0
    next(new)
    assert len(list(old)) == 1
    assert where(loader) == (0, 1, 0)
    loader.load_state_dict({"epoch": 5, "batch": 1, "seed": 4})
    assert len(list(new)) == 2
    assert where(loader) == (5, 1, 4)
    assert values(loader) == [[3, 4, 5], [6, 7, 8]]


@pytest.mark.parametrize("prefetch", PREFETCH)
def test_batches_are_the_callers_to_keep(prefetch: int) -> None:
    loader = DataLoader(numbered(20), 4, augment=RandomShift(0), prefetch=prefetch)
    batches = list(loader)
    copies = [x.data.copy() for x, _ in batches]
    list(loader)
    for (x, _), copy in zip(batches, copies, strict=True):
        np.testing.assert_array_equal(x.data, copy)
    arrays = [x.data for x, _ in batches]
    assert not any(np.shares_memory(a, b) for a, b in itertools.combinations(arrays, 2))


class Failing:
    """A data set that cannot give picture 7."""

    classes = ("a",)
    image_shape = (1, 1, 1)
    labels = np.zeros(12, dtype=np.int64)

    def __len__(self) -> int:
        return 12

    def batch(self, indices: Any) -> Any:
        if 7 in indices:
            raise DataError("picture 7 is damaged")
        return np.zeros((len(indices), 1, 1, 1), np.float32), np.zeros(len(indices), np.int64)


@pytest.mark.parametrize("prefetch", [0, 1, 2, 10])
def test_an_exception_comes_where_it_belongs(prefetch: int) -> None:
    loader = DataLoader(Failing(), 3, prefetch=prefetch)  # type: ignore[arg-type]
    iterator = iter(loader)
    next(iterator)
    next(iterator)
    with pytest.raises(DataError, match="picture 7 is damaged"):
        next(iterator)
    with pytest.raises(StopIteration):
        next(iterator)
    assert where(loader) == (0, 2, 0)  # no epoch was finished
    wait_for_threads()


@pytest.mark.parametrize("how", ["drop", "close", "break", "cycle", "end"])
def test_the_thread_ends_with_its_pass(how: str) -> None:
    wait_for_threads()
    loader = DataLoader(numbered(100), 1, prefetch=2)
    if how == "break":
        for _ in loader:
            break
    elif how == "end":
        list(loader)
    else:
        iterator: Any = iter(loader)
        next(iterator)
        if how == "close":
            iterator.close()
            with pytest.raises(StopIteration):
                next(iterator)
        if how == "cycle":
            iterator.itself = iterator
            del iterator
            gc.collect()
        else:
            del iterator
    wait_for_threads()


def test_close_waits_until_the_thread_has_ended() -> None:
    """Else it would still read the data set while the caller closes or changes that."""

    class Slow(ArrayDataset):
        def batch(self, indices: npt.ArrayLike) -> Any:
            result = super().batch(indices)
            if np.asarray(indices)[0] > 0:
                begun.set()
                time.sleep(0.2)
            return result

    wait_for_threads()
    begun = threading.Event()
    iterator: Any = iter(DataLoader(Slow(np.zeros((50, 1, 1), "u1"), np.zeros(50)), 1, prefetch=3))
    next(iterator)
    assert begun.wait(20)
    iterator.close()
    assert not any(thread.name == "minicnn-prefetch" for thread in threading.enumerate())


def test_no_more_is_made_ahead_than_asked_for() -> None:
    made: list[int] = []

    class Counting(ArrayDataset):
        def batch(self, indices: npt.ArrayLike) -> Any:
            made.append(int(np.asarray(indices)[0]))
            return super().batch(indices)

    loader = DataLoader(Counting(np.zeros((50, 1, 1), "u1"), np.zeros(50)), 1, prefetch=3)
    iterator: Any = iter(loader)
    for number in range(10):
        next(iterator)
        time.sleep(0.002)
        assert len(made) <= number + 1 + 3
    iterator.close()
    assert made == list(range(len(made)))


def test_the_data_set_is_read_in_another_thread() -> None:
    names = set()

    def spy(images: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
        names.add(threading.current_thread().name)
        return images

    list(DataLoader(numbered(4), 2, augment=spy, prefetch=1))
    assert names == {"minicnn-prefetch"}


def test_lengths() -> None:
    assert len(DataLoader(numbered(10), 3)) == 4
    assert len(DataLoader(numbered(9), 3)) == 3
    assert len(DataLoader(numbered(10), 3, drop_last=True)) == 3
    assert len(DataLoader(numbered(10), 64)) == 1
    assert len(DataLoader(numbered(0), 3)) == 0


def test_an_empty_data_set_gives_empty_epochs() -> None:
    loader = DataLoader(numbered(0), 3, shuffle=True, prefetch=1)
    assert list(loader) == []
    assert loader.epoch == 1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"batch_size": 2.0}, TypeError, "batch_size"),
        ({"seed": -1}, ValueError, "seed"),
        ({"prefetch": -1}, ValueError, "prefetch"),
        ({"augment": 3}, TypeError, "augment"),
        ({"batch_size": 11, "drop_last": True}, ValueError, "would leave no batch: .* 11 .* 10"),
    ],
)
def test_arguments_that_cannot_be_are_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        DataLoader(numbered(10), **{"batch_size": 2, **options})


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        ({"epoch": 0, "batch": 0}, KeyError, "lacks seed"),
        ({"epoch": 0, "batch": 6, "seed": 0}, ValueError, "an epoch has 5 batches of 2"),
        ({"epoch": -1, "batch": 0, "seed": 0}, ValueError, "epoch"),
        ({"epoch": 0, "batch": "1", "seed": 0}, TypeError, "batch"),
    ],
)
def test_states_that_cannot_be_are_refused(
    state: dict[str, Any], error: type[Exception], message: str
) -> None:
    loader = DataLoader(numbered(10), 2)
    before = loader.state_dict()
    with pytest.raises(error, match=message):
        loader.load_state_dict(state)
    assert loader.state_dict() == before


def test_an_augmentation_that_loses_pictures_is_refused() -> None:
    loader = DataLoader(numbered(10), 4, augment=lambda images, rng: images[1:])
    with pytest.raises(DataError, match="4 pictures came as 3 pictures and 4 labels"):
        list(loader)


class TestAnotherLoader:
    """A state of the middle of an epoch is refused by a loader of something else."""

    def state(self, **changed: Any) -> dict[str, Any]:
        loader = DataLoader(numbered(10), 3, shuffle=True)
        next(iter(loader))
        return loader.state_dict()

    @pytest.mark.parametrize(
        ("other", "difference"),
        [
            (lambda: DataLoader(numbered(11), 3, shuffle=True), "pictures 10 → 11"),
            (lambda: DataLoader(numbered(10), 4, shuffle=True), "batch_size 3 → 4"),
            (lambda: DataLoader(numbered(10), 3), "shuffle True → False"),
            (lambda: DataLoader(numbered(10), 3, True, drop_last=True), "drop_last False → True"),
            (lambda: DataLoader(numbered(10), 3, True, augment=lambda x, _: x), "augment False"),
            (lambda: DataLoader(numbered(10).subset(range(9, -1, -1)), 3, True), "other labels"),
        ],
    )
    def test_is_told_apart(self, other: Callable[[], DataLoader], difference: str) -> None:
        state, loader = self.state(), other()
        assert any(difference in text for text in loader.differences(state))
        with pytest.raises(ValueError, match="in the middle of an epoch of something else"):
            loader.load_state_dict(state)
        assert where(loader) == (0, 0, 0)
        loader.load_state_dict({**state, "batch": 0})  # between two epochs, all may change

    @pytest.mark.parametrize("of", [None, 3, "pictures", []])
    def test_by_a_description_and_no_other(self, of: Any) -> None:
        loader = DataLoader(numbered(10), 3, shuffle=True)
        state = {**self.state(), "of": of}
        assert loader.differences(state) == loader.differences(of) == []
        with pytest.raises(TypeError, match="state\\['of'\\] must be"):
            loader.load_state_dict(state)
        assert where(loader) == (0, 0, 0)

    def test_the_same_is_not(self) -> None:
        loader = DataLoader(numbered(10), 3, shuffle=True, seed=5)
        assert loader.differences(self.state()) == []
        loader.load_state_dict(self.state())
        assert where(loader) == (0, 1, 0)

    def test_what_is_no_state_or_no_data_set(self) -> None:
        loader = DataLoader(numbered(10), 3)
        with pytest.raises(TypeError, match="state must be what state_dict"):
            loader.load_state_dict(None)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="dataset must be a data set"):
            DataLoader([1, 2], 2)  # type: ignore[arg-type]
        with pytest.raises(DataError, match="augment returned None"):
            next(iter(DataLoader(numbered(10), 3, augment=lambda x, _: None)))  # type: ignore
