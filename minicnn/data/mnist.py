"""MNIST and Fashion-MNIST, read from the IDX files that their authors publish."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import DataError, describe
from .array import ArrayDataset
from .idx import idx_dataset

Split = Literal["train", "test"]
Root = str | os.PathLike[str] | None


@dataclass(frozen=True)
class IdxFile:
    """One of the published files.

    Attributes:
        name: Its name, without ".gz".
        size: The length in bytes of the gzipped file that the mirrors hold.
        sha256: The SHA-256 of that file.
        content: The SHA-256 of its *values*, that is of what is left when it is unzipped and the
            header taken off. However a file came here, zipped by whom: this must be right.
    """

    name: str
    size: int
    sha256: str
    content: str


@dataclass(frozen=True)
class Source:
    """A published data set: its title, its folder's name, its classes, its mirrors, its files."""

    title: str
    function: str
    folder: str
    torchvision_folder: str
    classes: tuple[str, ...]
    mirrors: tuple[str, ...]
    files: dict[str, tuple[IdxFile, IdxFile]]


MNIST = Source(
    title="MNIST",
    function="mnist",
    folder="mnist",
    torchvision_folder="MNIST/raw",
    classes=tuple("0123456789"),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    files={
        "train": (
            IdxFile(
                "train-images-idx3-ubyte",
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
            ),
            IdxFile(
                "train-labels-idx1-ubyte",
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
            ),
        ),
        "test": (
            IdxFile(
                "t10k-images-idx3-ubyte",
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
            ),
            IdxFile(
                "t10k-labels-idx1-ubyte",
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
            ),
        ),
    },
)

FASHION_MNIST = Source(
    title="Fashion-MNIST",
    function="fashion_mnist",
    folder="fashion-mnist",
    torchvision_folder="FashionMNIST/raw",
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    ),
    files={
        "train": (
            IdxFile(
                "train-images-idx3-ubyte",
                26_421_880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
            ),
            IdxFile(
                "train-labels-idx1-ubyte",
                29_515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
            ),
        ),
        "test": (
            IdxFile(
                "t10k-images-idx3-ubyte",
                4_422_102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
            ),
            IdxFile(
                "t10k-labels-idx1-ubyte",
                5_148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
            ),
        ),
    },
)


def mnist(root: Root = None, split: Split = "train", download: bool = False) -> ArrayDataset:
    """MNIST: 60,000 handwritten digits to train on and 10,000 to test with, 28×28, grey.

    (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0. A sample of it comes with minicnn: `digits`.)

    The files ``train-images-idx3-ubyte`` and so on, gzipped or not, are looked for in ``root``,
    then in the folder that the environment variable MINICNN_DATA names, then in minicnn's cache
    folder (see `cache_folder`); in each of them directly, in its folder ``mnist``, and in
    ``MNIST/raw``, where torchvision keeps them.

    Args:
        root: Where to look first.
        split: "train" or "test".
        download: Fetch the files if they are nowhere: into a folder ``mnist`` in the first of the
            places above that is given.

    Returns:
        The data set; its 47 MB of pictures stay in memory as 8-bit values.

    Raises:
        ValueError: another split.
        FileNotFoundError: the files are nowhere; the message lists where they were looked for.
        DataError: a file is damaged, or is not MNIST's (`idx_dataset` reads others); or no mirror
            delivered.
    """
    return _load(MNIST, root, split, download)


def fashion_mnist(
    root: Root = None, split: Split = "train", download: bool = False
) -> ArrayDataset:
    """Fashion-MNIST: 70,000 pictures of clothes in ten classes, with MNIST's sizes and files.

    (H. Xiao, K. Rasul, R. Vollgraf, Zalando, 2017; MIT licence.) It is found as `mnist` is, in
    folders named ``fashion-mnist`` and ``FashionMNIST/raw``; arguments and errors are the same.
    """
    return _load(FASHION_MNIST, root, split, download)


def is_there(source: Source, root: Root = None) -> bool:
    """Whether both halves of a data set would be loaded: they are, for nothing less can tell.

    That takes a third of a second.
    """
    try:
        for split in source.files:
            _load(source, root, split, fetch=False)
    except (OSError, DataError):
        return False
    return True


def cache_folder() -> Path:
    """Where minicnn keeps what it downloads, as the operating system has it.

    ``$XDG_CACHE_HOME/minicnn`` or ``~/.cache/minicnn``; on macOS ``~/Library/Caches/minicnn``; on
    Windows ``%LOCALAPPDATA%\\minicnn\\Cache``. The folder need not exist yet.
    """
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "minicnn" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "minicnn"
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    # A relative path is invalid and to be ignored (XDG Base Directory Specification).
    return (Path(xdg) if os.path.isabs(xdg) else Path.home() / ".cache") / "minicnn"


def data_folders(root: Root = None) -> list[Path]:
    """Where data sets are looked for, in this order: ``root``, MINICNN_DATA, the cache folder."""
    places = [root, os.environ.get("MINICNN_DATA"), cache_folder()]
    return list(dict.fromkeys(Path(place).expanduser() for place in places if place))


def _load(source: Source, root: Root, split: str, fetch: bool) -> ArrayDataset:
    if split not in source.files:
        raise ValueError(f'split must be "train" or "test", got {describe(split)}')
    files = source.files[split]
    places = data_folders(root)
    paths = _find(source, files, places)
    if paths is None and fetch:
        paths = _download(source, files, places[0])
    if paths is None:
        raise FileNotFoundError(_nowhere(source, files, places))
    dataset = idx_dataset(*paths, classes=source.classes)
    for path, file, values in zip(paths, files, (dataset.images, dataset.labels), strict=True):
        _check(source, path, file, values)
    return dataset


def _find(
    source: Source, files: tuple[IdxFile, IdxFile], places: list[Path]
) -> tuple[Path, Path] | None:
    """The images' and the labels' file, from the first folder that has both."""
    for place in places:
        for folder in (place / source.folder, place / source.torchvision_folder, place):
            images, labels = (_find_file(folder, file.name) for file in files)
            if images is not None and labels is not None:
                return images, labels
    return None


def _find_file(folder: Path, name: str) -> Path | None:
    for candidate in (name, name + ".gz"):
        if (folder / candidate).is_file():
            return folder / candidate
    return None


def _download(source: Source, files: tuple[IdxFile, IdxFile], place: Path) -> tuple[Path, Path]:
    from .download import RemoteFile, download

    folder = place if place.name == source.folder else place / source.folder
    images, labels = (
        download(
            RemoteFile(
                name=f"{file.name}.gz",
                size=file.size,
                sha256=file.sha256,
                urls=tuple(f"{mirror}{file.name}.gz" for mirror in source.mirrors),
            ),
            folder,
        )
        for file in files
    )
    return images, labels


def _check(source: Source, path: Path, file: IdxFile, values: npt.NDArray[Any]) -> None:
    """Refuse files that are whole and yet not the published ones.

    MNIST and Fashion-MNIST (and others) use the same file names and sizes: a mix-up would train
    without a word.
    """
    import hashlib

    # Labels are one byte each in the file, as pictures' pixels are.
    content = np.ascontiguousarray(values.astype(np.uint8, copy=False))
    if hashlib.sha256(content.data).hexdigest() == file.content:
        return
    raise DataError(
        f"{path} is whole, but it is not {source.title}'s {file.name}: its contents differ from "
        "the published ones. To read other files of this format, use minicnn.data.idx_dataset"
    )


def _nowhere(source: Source, files: tuple[IdxFile, IdxFile], places: list[Path]) -> str:
    names = " and ".join(f"{file.name}[.gz]" for file in files)
    looked = "\n".join(
        f"  {place} (and in its folders {source.folder} and {source.torchvision_folder})"
        for place in places
    )
    return (
        f"{source.title} is not here. Looked for {names} in\n{looked}\n"
        f"To fetch it: minicnn.data.{source.function}(download=True); "
        "or set the environment variable MINICNN_DATA to the folder that has the files"
    )
