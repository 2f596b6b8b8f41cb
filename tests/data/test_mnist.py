"""Where MNIST and Fashion-MNIST are looked for, and what is refused in their name."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import sys
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import pytest

from minicnn.data import cache_folder, fashion_mnist, mnist
from minicnn.data.mnist import FASHION_MNIST, MNIST, Source
from minicnn.errors import DataError

from .idxfiles import idx_bytes, write_idx

Split = Literal["train", "test"]
MODULE = sys.modules["minicnn.data.mnist"]
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 28, 28), dtype=np.uint8)
LABELS = np.array([3, 1, 4, 1, 5, 9], dtype=np.uint8)


def small(source: Source, images: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Source:
    """``source`` with these pictures as the published ones."""

    def content(array: npt.NDArray[Any]) -> str:
        return hashlib.sha256(array.tobytes()).hexdigest()

    files = {
        split: (
            dataclasses.replace(pair[0], content=content(images)),
            dataclasses.replace(pair[1], content=content(labels)),
        )
        for split, pair in source.files.items()
    }
    return dataclasses.replace(source, files=files)


@pytest.fixture(autouse=True)
def small_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six pictures stand for each data set, and nothing of this computer's is found."""
    monkeypatch.setattr(MODULE, "MNIST", small(MNIST, IMAGES, LABELS))
    monkeypatch.setattr(MODULE, "FASHION_MNIST", small(FASHION_MNIST, IMAGES[::-1], LABELS[::-1]))
    monkeypatch.delenv("MINICNN_DATA", raising=False)
    monkeypatch.setattr(MODULE, "cache_folder", lambda: tmp_path / "cache")


def put(
    folder: Path,
    *,
    split: str = "train",
    zipped: bool = False,
    images: Any = IMAGES,
    labels: Any = LABELS,
) -> None:
    prefix, end = {"train": "train", "test": "t10k"}[split], ".gz" if zipped else ""
    write_idx(folder / f"{prefix}-images-idx3-ubyte{end}", images, zipped=zipped)
    write_idx(folder / f"{prefix}-labels-idx1-ubyte{end}", labels, zipped=zipped)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("folder", ["root", "root/mnist", "root/MNIST/raw"])
def test_it_is_found_in_root(tmp_path: Path, folder: str, split: Split, zipped: bool) -> None:
    put(tmp_path / folder, split=split, zipped=zipped)
    dataset = mnist(tmp_path / "root", split)
    np.testing.assert_array_equal(dataset.images[:, 0], IMAGES)
    assert dataset.labels.tolist() == LABELS.tolist()
    assert dataset.classes == list("0123456789")
    with pytest.raises(FileNotFoundError):
        mnist(tmp_path / "root", "train" if split == "test" else "test")


def test_the_places_come_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, data, cache = tmp_path / "root", tmp_path / "data", tmp_path / "cache"
    monkeypatch.setenv("MINICNN_DATA", str(data))
    with pytest.raises(FileNotFoundError) as caught:
        mnist(root)
    positions = [str(caught.value).index(str(place)) for place in (root, data, cache)]
    assert positions == sorted(positions)
    for needed in ("train-images-idx3-ubyte", "MINICNN_DATA", "mnist(download=True)"):
        assert needed in str(caught.value)
    damaged = IMAGES[:3]
    for place in (cache, data, root):  # what is found later hides what was found before
        put(place / "mnist")
        assert len(mnist(root)) == 6
        put(place / "mnist", images=damaged)
        with pytest.raises(DataError, match="3 pictures"):
            mnist(root)


def test_half_of_the_files_are_not_enough(tmp_path: Path) -> None:
    write_idx(tmp_path / "root" / "train-images-idx3-ubyte", IMAGES)
    put(tmp_path / "cache" / "mnist")
    assert len(mnist(tmp_path / "root")) == 6


def test_the_two_data_sets_keep_apart(tmp_path: Path) -> None:
    put(tmp_path / "fashion-mnist", images=IMAGES[::-1], labels=LABELS[::-1])
    put(tmp_path / "mnist")
    clothes = fashion_mnist(tmp_path)
    assert clothes.classes[9] == "Ankle boot"
    np.testing.assert_array_equal(clothes.images[:, 0], IMAGES[::-1])
    with pytest.raises(DataError, match=r"not MNIST's train-images-idx3-ubyte.*idx_dataset"):
        mnist(tmp_path / "fashion-mnist")
    with pytest.raises(DataError, match="not Fashion-MNIST's"):
        fashion_mnist(tmp_path / "mnist")


def test_a_data_set_is_there_if_it_can_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> list[str]:
        sources = (MODULE.MNIST, MODULE.FASHION_MNIST)
        return [source.folder for source in sources if MODULE.is_there(source)]

    monkeypatch.setenv("MINICNN_DATA", str(tmp_path))
    assert found() == []
    put(tmp_path / "MNIST" / "raw")
    assert found() == []  # the test pictures are missing
    put(tmp_path / "MNIST" / "raw", split="test", zipped=True)
    assert found() == ["mnist"]
    monkeypatch.setenv("MINICNN_DATA", str(tmp_path / "MNIST" / "raw"))
    assert found() == ["mnist"]  # and not Fashion-MNIST, though its files have the same names
    pictures = tmp_path / "MNIST" / "raw" / "t10k-images-idx3-ubyte.gz"
    for content in (b"", pictures.read_bytes()[:-9], b"\0" * 99):
        pictures.write_bytes(content)
        assert found() == []

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError("Permission denied")

    monkeypatch.setattr(MODULE, "idx_dataset", forbidden)
    put(tmp_path / "MNIST" / "raw", split="test", zipped=True)
    assert found() == []


def test_a_wrong_split_is_refused() -> None:
    for function in (mnist, fashion_mnist):
        with pytest.raises(ValueError, match=r"split must be \"train\" or \"test\", got 'valid'"):
            function(split=cast(Split, "valid"))


@pytest.mark.parametrize("name", ["mnist", "elsewhere"])
def test_it_is_downloaded_where_it_will_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    asked = []

    def fake(file: Any, folder: Path) -> Path:
        asked.append(file)
        return write_idx(folder / file.name, IMAGES if "images" in file.name else LABELS)

    monkeypatch.setattr("minicnn.data.download.download", fake)
    dataset = mnist(tmp_path / name, download=True)
    np.testing.assert_array_equal(dataset.images[:, 0], IMAGES)
    folder = tmp_path / "mnist" if name == "mnist" else tmp_path / "elsewhere" / "mnist"
    assert (folder / "train-labels-idx1-ubyte.gz").is_file()
    assert [file.name for file in asked] == [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]
    assert len(asked[0].urls) >= 2
    assert all(url.endswith("/train-images-idx3-ubyte.gz") for url in asked[0].urls)
    mnist(tmp_path / name, download=True)
    assert len(asked) == 2  # it was there


def test_the_download_goes_to_the_cache_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake(file: Any, folder: Path) -> Path:
        return write_idx(folder / file.name, IMAGES if "images" in file.name else LABELS)

    monkeypatch.setattr("minicnn.data.download.download", fake)
    mnist(download=True)
    assert (tmp_path / "cache" / "mnist" / "train-images-idx3-ubyte.gz").is_file()


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/somewhere/cache"}, "/somewhere/cache/minicnn"),
        ("linux", {}, "HOME/.cache/minicnn"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "HOME/.cache/minicnn"),
        ("darwin", {}, "HOME/Library/Caches/minicnn"),
        ("win32", {"LOCALAPPDATA": "/app/data"}, "/app/data/minicnn/Cache"),
        ("win32", {}, "HOME/AppData/Local/minicnn/Cache"),
    ],
)
def test_the_cache_folder_is_the_platforms(
    monkeypatch: pytest.MonkeyPatch, platform: str, environment: dict[str, str], expected: str
) -> None:
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == Path(expected.replace("HOME", str(Path.home())))


def test_every_file_is_described_by_three_numbers() -> None:
    described = [
        file for source in (MNIST, FASHION_MNIST) for pair in source.files.values() for file in pair
    ]
    assert len({file.sha256 for file in described}) == len(described) == 8
    assert len({file.content for file in described}) == 8
    assert all(len(file.sha256) == len(file.content) == 64 for file in described)
    assert len(idx_bytes(LABELS)) == 8 + len(LABELS)


@pytest.mark.parametrize("function", [mnist, fashion_mnist])
@pytest.mark.parametrize(("split", "count"), [("train", 60_000), ("test", 10_000)])
def test_the_real_files(
    monkeypatch: pytest.MonkeyPatch, function: Any, split: Split, count: int
) -> None:
    monkeypatch.undo()  # the real ones, after all
    if "MINICNN_DATA" not in os.environ:
        pytest.skip("MINICNN_DATA does not name a folder with MNIST and Fashion-MNIST")
    try:
        dataset = function(split=split)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert len(dataset) == count
    assert dataset.image_shape == (1, 28, 28)
    assert np.bincount(dataset.labels).min() > 0
