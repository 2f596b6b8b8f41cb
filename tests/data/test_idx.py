"""IDX files: what is written is read, and whatever is wrong with one is said."""

from __future__ import annotations

import contextlib
import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicnn.data import idx_dataset, read_idx
from minicnn.errors import DataError

from .idxfiles import CODES, idx_bytes, write_idx

ARRAYS = st.sampled_from(sorted(CODES)).flatmap(
    lambda name: hnp.arrays(name, hnp.array_shapes(max_dims=4, max_side=5, min_side=0))
)


@given(array=ARRAYS, zipped=st.booleans())
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, array: npt.NDArray[Any], zipped: bool
) -> None:
    path = write_idx(tmp_path_factory.mktemp("idx") / "some.file", array, zipped=zipped)
    read = read_idx(path)
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    assert read.flags.writeable
    np.testing.assert_array_equal(read, array)


def test_the_example_of_the_format_description(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(bytes.fromhex("00000801 00000003 050004".replace(" ", "")))
    assert read_idx(path).tolist() == [5, 0, 4]


@given(cut=st.integers(0, 27), zipped=st.booleans())
def test_every_truncation_is_refused(
    tmp_path_factory: pytest.TempPathFactory, cut: int, zipped: bool
) -> None:
    whole = idx_bytes(np.arange(12, dtype=np.uint8).reshape(2, 2, 3))
    assert len(whole) == 28
    path = tmp_path_factory.mktemp("idx") / "short"
    path.write_bytes(gzip.compress(whole[:cut]) if zipped else whole[:cut])
    with pytest.raises(DataError, match=r"short") as caught:
        read_idx(path)
    if cut >= 16:
        assert "2×2×3 values of uint8 take 28 bytes" in str(caught.value)
        assert str(cut) in str(caught.value)


@given(cut=st.integers(0, 400))
def test_a_truncated_gzip_file_is_refused(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    rng = np.random.default_rng(0)
    whole = gzip.compress(idx_bytes(rng.integers(0, 256, (20, 20), dtype=np.uint8)))
    assert len(whole) > 400
    path = tmp_path_factory.mktemp("idx") / "short.gz"
    path.write_bytes(whole[:cut])
    with pytest.raises(DataError, match=r"short\.gz"):
        read_idx(path)


@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_damaged_gzip_file_never_gives_wrong_values(
    tmp_path_factory: pytest.TempPathFactory, at: int, flip: int
) -> None:
    array = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
    data = bytearray(gzip.compress(idx_bytes(array)))
    data[at % len(data)] ^= flip
    path = tmp_path_factory.mktemp("idx") / "damaged.gz"
    path.write_bytes(data)
    with contextlib.suppress(DataError):
        # gzip's header has bytes that do not matter, such as the time
        np.testing.assert_array_equal(read_idx(path), array)


@pytest.mark.parametrize("zipped", [False, True])
def test_more_than_the_header_says_is_refused(tmp_path: Path, zipped: bool) -> None:
    data = idx_bytes(np.zeros((2, 3), dtype=np.uint8)) + b"x"
    path = tmp_path / "long"
    path.write_bytes(gzip.compress(data) if zipped else data)
    with pytest.raises(DataError, match="2×3 values of uint8 take 18 bytes"):
        read_idx(path)


def test_garbage_after_the_gzipped_data_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.zeros(3, dtype=np.uint8))) + b"garbage")
    with pytest.raises(DataError, match="damaged"):
        read_idx(path)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("lengths", [(2**32 - 1,) * 3, (60_000, 28, 28), (2**32 - 1,) * 8])
def test_absurd_sizes_are_refused_before_memory_is_taken(
    tmp_path: Path, lengths: tuple[int, ...], zipped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = struct.pack(f">BBBB{len(lengths)}I", 0, 0, 14, len(lengths), *lengths) + b"tiny"
    path = tmp_path / "huge"
    path.write_bytes(gzip.compress(data) if zipped else data)
    monkeypatch.setattr(np, "empty", lambda *_, **__: pytest.fail("memory was allocated"))
    with pytest.raises(DataError, match="its header announces"):
        read_idx(path)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "no data"),
        (b"\x89PNG\r\n\x1a\n", "89 50 4e 47"),
        (b"\0\0\x07\x01\0\0\0\0", "00 00 07 01"),
        (b"<html>not found</html>", "3c 68 74 6d"),
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, data: bytes, found: str) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(data)
    with pytest.raises(DataError, match=f"foreign is not an IDX file.*found {found}"):
        read_idx(path)


@pytest.mark.parametrize("axes", [0, 9, 255])
def test_a_strange_number_of_axes_is_refused(tmp_path: Path, axes: int) -> None:
    path = tmp_path / "axes"
    path.write_bytes(bytes([0, 0, 8, axes]) + bytes(4 * axes))
    with pytest.raises(DataError, match=f"expected 1 to 8 axes in its header, found {axes}"):
        read_idx(path)


def test_a_missing_file_stays_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "nothing")


def test_two_files_make_a_data_set(tmp_path: Path) -> None:
    pictures = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    images = write_idx(tmp_path / "images", pictures, zipped=True)
    labels = write_idx(tmp_path / "labels", np.array([1, 0], dtype=np.uint8))
    dataset = idx_dataset(images, labels, ["cat", "dog"])
    assert dataset.image_shape == (1, 3, 4)
    assert dataset.classes == ["cat", "dog"]
    batch, numbers = dataset.batch([1, 0])
    np.testing.assert_array_equal(batch, (pictures[::-1, None] / np.float32(255)))
    assert numbers.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("pictures", "labels", "message"),
    [
        (np.zeros((2, 3, 3), "u1"), np.zeros((2, 3, 3), "u1"), "expected labels.*swapped"),
        (np.zeros(2, "u1"), np.zeros(2, "u1"), "expected pictures.*found uint8 2; are.*swapped"),
        (np.zeros((2, 3, 3), "f4"), np.zeros(2, "u1"), "expected pictures.*found float32 2×3×3"),
        (np.zeros((2, 3, 3), "u1"), np.zeros(2, "f4"), "expected labels.*found float32 2"),
        (np.zeros((2, 3, 3), "u1"), np.zeros(3, "u1"), "2 pictures but .* 3 labels"),
        (
            np.zeros((2, 3, 3), "u1"),
            np.array([0, 7], "u1"),
            "must be from 0 to 1, got 7 at index 1",
        ),
        (np.zeros((2, 3, 3), "u1"), np.array([0, -1], "i1"), "got -1 at index 1"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    tmp_path: Path, pictures: npt.NDArray[Any], labels: npt.NDArray[Any], message: str
) -> None:
    first = write_idx(tmp_path / "first", pictures)
    second = write_idx(tmp_path / "second", labels)
    with pytest.raises(DataError, match=message) as caught:
        idx_dataset(first, second, ["a", "b"])
    assert "first" in str(caught.value) or "second" in str(caught.value)


def test_no_values_along_absurd_axes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b"\0\0\x08\x03" + b"\0" * 4 + b"\xff" * 8)
    with pytest.raises(DataError, match="its header announces 0×4294967295×4294967295"):
        read_idx(path)
