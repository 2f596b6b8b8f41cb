"""Data sets by the names that the command line gives them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..data import DataLoader, ImageFolder, digits, fashion_mnist, mnist, split
from ..data.augment import Compose, RandomHorizontalFlip, RandomRotation, RandomShift
from ..data.base import Dataset
from ..errors import DataError

NAMES = ("digits", "mnist", "fashion-mnist")
SIZES = {"animal": 224, "vgg": 32, "resnet": 32}
"""Side of the pictures that a model takes from a folder; 28 for the others."""

AUGMENTATIONS: dict[str, Any] = {
    "none": lambda: None,
    "shift": lambda: RandomShift(2),
    "rotate": lambda: Compose(RandomRotation(10), RandomShift(2)),
    "flip": lambda: Compose(RandomHorizontalFlip(), RandomShift(2)),
}

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
        seed: Seeds the division.
        download: Whether to fetch what is missing.
    """

    data: str
    root: str | None
    size: int
    grayscale: bool
    valid: float
    seed: int
    download: bool = False

    @property
    def looks_like_mnist(self) -> bool:
        """Whether a picture of a digit must be centred and scaled as MNIST's are."""
        return self.data in ("digits", "mnist")

    def for_training(self) -> tuple[Dataset, Dataset | None, Dataset]:
        """(train, valid or None, test). Validation never comes out of the test pictures."""
        if self.data not in NAMES:
            return self._divided_folder()
        train, test = self._named("train"), self._named("test")
        if not self.valid:
            return train, None, test
        train, valid = split(train, (1 - self.valid, self.valid), self.seed)
        return train, valid, test

    def part(self, name: str) -> Dataset:
        """ "train", "valid" or "test" alone."""
        if self.data in NAMES and name == "test":
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
        return load(self.root, part, download=self.download)

    def _divided_folder(self) -> tuple[Dataset, Dataset | None, Dataset]:
        """A folder has no test pictures of its own: a tenth is set aside, always the same."""
        if not os.path.isdir(self.data):
            raise DataError(
                f"data must be one of {', '.join(NAMES)} or a folder of class folders; there is no "
                f"folder {self.data}"
            )
        folder = ImageFolder(Path(self.data), self.size, grayscale=self.grayscale)
        whole: Dataset = folder
        if len(folder) * int(np.prod(folder.image_shape)) <= _IN_MEMORY:
            whole = folder.in_memory()
        if not self.valid:
            train, test = split(whole, (0.9, 0.1), self.seed)
            return train, None, test
        train, valid, test = split(whole, (0.9 - self.valid, self.valid, 0.1), self.seed)
        return train, valid, test


def loaders(
    train: Dataset, valid: Dataset | None, batch_size: int, seed: int, augment: str
) -> tuple[DataLoader, DataLoader | None]:
    """Shuffled batches to train on, and larger ones in order to validate with."""
    augmentation = AUGMENTATIONS[augment]()
    learning = DataLoader(train, batch_size, shuffle=True, seed=seed, augment=augmentation)
    return learning, None if valid is None else DataLoader(valid, 256)
