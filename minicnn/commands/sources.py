"""Data sets by the names that the command line gives them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..data import DataLoader, ImageFolder, data_folders, digits, fashion_mnist, mnist, split
from ..data.augment import Compose, RandomHorizontalFlip, RandomRotation, RandomShift
from ..data.base import Dataset, FloatImages, IntArray, Splittable
from ..errors import DataError

NAMES = ("digits", "mnist", "fashion-mnist")


def canonical(data: str) -> str:
    """A name as in `NAMES`, also where it was written with an underscore, or an absolute path."""
    name = data.replace("_", "-")
    return name if name in NAMES else str(Path(data).resolve())


SIZES = {"animal": 224, "vgg": 32, "resnet": 32}
"""Side of the pictures that a model takes from a folder; 28 for the others."""

AUGMENTATIONS: dict[str, Any] = {
    "none": lambda fill=0.0: None,
    "shift": lambda fill=0.0: RandomShift(2, fill),
    "rotate": lambda fill=0.0: Compose(RandomRotation(10, fill), RandomShift(2, fill)),
    "flip": lambda fill=0.0: Compose(RandomHorizontalFlip(), RandomShift(2, fill)),
}
"""Made with the grey that comes in from outside the picture."""

LOOKED_AT = 256
"""Pictures whose edges are looked at, at most, to find that grey."""

TEST_SEED = 0
"""Seeds the choice of a folder's test pictures, for all runs."""

LEAST = 20
"""Pictures that a folder must have to be divided."""

_IN_MEMORY = 1 << 29
"""Folders whose decoded pictures fit into this many bytes are decoded once, not every epoch."""


@dataclass(frozen=True)
class Source:
    """Where the pictures come from, as it is kept with a trained net.

    Attributes:
        data: One of `NAMES`, or a folder with a folder of pictures for each class.
        root: Where IDX files lie, for mnist and fashion-mnist; None: the usual places.
        size: Side of the pictures of a folder, in pixels.
        grayscale: Whether a folder's pictures are taken as grey.
        valid: Share of the training pictures that is kept for validation, 0 for none.
        seed: Seeds the choice of these.
        download: Whether to fetch what is missing.
        invert: Whether a folder's pictures are turned, dark to light.
    """

    data: str
    root: str | None
    size: int
    grayscale: bool
    valid: float
    seed: int
    download: bool = False
    invert: bool = False

    @property
    def looks_like_mnist(self) -> bool:
        """Whether a picture of a digit must be centred and scaled as MNIST's are."""
        return self.data in ("digits", "mnist")

    @property
    def is_folder(self) -> bool:
        """Whether the pictures come from a folder."""
        return self.data not in NAMES

    def for_training(self) -> tuple[Dataset, Dataset | None, Dataset]:
        """(train, valid or None, test). Validation never comes out of the test pictures.

        A folder has no test pictures of its own: a tenth is set aside, the same one whatever the
        seed and the share to validate on, so that no run trains on what another is tested on.
        """
        train: Dataset
        test: Dataset
        if self.is_folder:
            whole = self.whole_folder()
            if len(whole) < LEAST:
                raise DataError(
                    f"{self.data} has {len(whole)} pictures; it takes {LEAST}, for a tenth is set "
                    f"aside to test with"
                )
            train, test = split(whole, (0.9, 0.1), TEST_SEED)
        else:
            train, test = self._named("train"), self._named("test")
        if not self.valid:
            return train, None, test
        train, valid = split(train, (1 - self.valid, self.valid), self.seed)
        return train, valid, test

    def part(self, name: str) -> Dataset:
        """ "train", "valid" or "test" alone."""
        if not self.is_folder and name == "test":
            return self._named("test")
        train, valid, test = self.for_training()
        parts = {"train": train, "valid": valid, "test": test}
        found = parts[name]
        if found is None:
            raise ValueError("this net was trained without validation pictures (--valid 0)")
        return found

    def _named(self, part: Literal["train", "test"]) -> Dataset:
        if self.data == "digits":
            return digits(part)
        load = mnist if self.data == "mnist" else fashion_mnist
        try:
            return load(self.root, part, download=self.download)
        except FileNotFoundError as error:
            places = " and ".join(str(place) for place in data_folders(self.root))
            raise DataError(
                f"{self.data} is not on this machine (looked in {places}); fetch it with "
                f"--download, or say with --root where its files lie"
            ) from error

    def whole_folder(self) -> Dataset:
        """All pictures of a folder.

        Raises:
            DataError: there is no such folder, or it has fewer than two classes.
        """
        if not os.path.isdir(self.data):
            raise DataError(
                f"data must be one of {', '.join(NAMES)} or a folder of class folders; there is no "
                f"folder {self.data}"
            )
        folder = ImageFolder(Path(self.data), self.size, grayscale=self.grayscale)
        if len(folder.classes) < 2:
            raise DataError(
                f"{self.data} has one class folder, {folder.classes[0]}; there is nothing to tell "
                f"apart"
            )
        small = len(folder) * int(np.prod(folder.image_shape)) <= _IN_MEMORY
        whole = folder.in_memory() if small else folder
        return Inverted(whole) if self.invert else whole


class Inverted(Splittable):
    """Another data set with dark and light exchanged: 1 - x."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.classes: list[str] = dataset.classes
        self.labels: IntArray = dataset.labels

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def decodes(self) -> bool:
        """Whether the other data set does."""
        return bool(getattr(self.dataset, "decodes", False))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every picture."""
        return self.dataset.image_shape

    def batch(self, indices: npt.ArrayLike) -> tuple[FloatImages, IntArray]:
        """See `Dataset.batch`."""
        images, labels = self.dataset.batch(indices)
        return 1 - images, labels

    def __repr__(self) -> str:
        return f"Inverted({self.dataset!r})"


def edge(data: Dataset) -> float:
    """The grey at the edge of the pictures: the median of their outermost pixels."""
    chosen = np.unique(np.linspace(0, len(data) - 1, min(len(data), LOOKED_AT)).astype(int))
    x, _ = data.batch(chosen)
    sides = (x[:, :, 0], x[:, :, -1], x[:, :, 1:-1, 0], x[:, :, 1:-1, -1])
    return round(float(np.median(np.concatenate([side.ravel() for side in sides]))), 3)


def loaders(
    train: Dataset, valid: Dataset | None, batch_size: int, seed: int, augment: str, fill: float
) -> tuple[DataLoader, DataLoader | None]:
    """Shuffled batches to train on, and larger ones in order to validate with."""
    augmentation = AUGMENTATIONS[augment](fill)
    learning = DataLoader(train, batch_size, shuffle=True, seed=seed, augment=augmentation)
    return learning, None if valid is None else DataLoader(valid, 256)
