"""The handwritten digits that come with minicnn."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import DataError, describe
from .array import ArrayDataset

FILE = Path(__file__).with_name("embedded") / "digits.npz"


def digits(split: Literal["train", "test"] = "train") -> ArrayDataset:
    """Real handwritten digits, 28×28, grey: 10,000 to train on and 2,000 to test with.

    They are a fixed sample of MNIST, the training ones from its training set and the test ones from
    its test set, with as many of each digit as MNIST has, in proportion. ``tools/make_digits.py``
    says how they were chosen and makes the file anew; `digits_indices` says which they are.

    MNIST is the work of Yann LeCun, Corinna Cortes and Christopher J. C. Burges, and under the
    licence CC BY-SA 3.0; see ``embedded/ATTRIBUTION.txt`` beside this file.

    Args:
        split: "train" or "test".

    Raises:
        ValueError: another split.
        DataError: the file is damaged; reinstall minicnn.
    """
    images, labels = _read(split, "images", "labels")
    return ArrayDataset(images, labels, [str(digit) for digit in range(10)])


def digits_indices(split: Literal["train", "test"] = "train") -> npt.NDArray[np.int64]:
    """Where the digits of ``split`` stand in MNIST's own training or test set; rising.

    Raises:
        ValueError: another split.
        DataError: the file is damaged; reinstall minicnn.
    """
    (indices,) = _read(split, "indices")
    return indices.astype(np.int64)


def _read(split: str, *names: str) -> list[npt.NDArray[Any]]:
    import zipfile
    import zlib

    if split not in ("train", "test"):
        raise ValueError(f'split must be "train" or "test", got {describe(split)}')
    try:
        with open(FILE, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return [arrays[f"{split}_{name}"] for name in names]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"the digits that come with minicnn cannot be read: {error}; reinstall minicnn"
        ) from error
