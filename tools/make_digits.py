"""Make minicnn/data/embedded/digits.npz: 10,000 training and 2,000 test digits of MNIST.

    python tools/make_digits.py FOLDER [OUTPUT]

FOLDER holds MNIST's four IDX files, gzipped or not, or has them in its folder ``mnist``. They are
checked against the published ones (SHA-256 of their contents) before anything is chosen.

How the sample is chosen. The number of each digit is proportional to what MNIST has: the exact
share is rounded down, and the pictures still missing go to the digits with the largest remainders.
Within a digit, pictures are ranked by the SHA-256 of the text "minicnn digits SPLIT INDEX" (INDEX
counts from 0 in the official file), and the first ones are taken: a draw by lot that depends on no
library's random numbers. They are stored in the order of the official file, with their indices.

Running it again gives the same arrays always, and the same bytes of the file wherever zlib is the
same (its compressor may choose differently from version to version). The arrays' SHA-256 are
printed; the tests hold them.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from minicnn.data import mnist
from minicnn.files import atomic_write

COUNTS: dict[Literal["train", "test"], int] = {"train": 10_000, "test": 2_000}
OUTPUT = Path(__file__).resolve().parent.parent / "minicnn/data/embedded/digits.npz"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip file can hold


def largest_remainders(present: npt.NDArray[np.int64], total: int) -> npt.NDArray[np.int64]:
    """``total`` divided in proportion to ``present``, in whole numbers (Hamilton's method)."""
    counts, remainders = np.divmod(present * total, present.sum())
    order = np.argsort(-remainders, kind="stable")  # of equal remainders, the smaller digit
    counts[order[: total - counts.sum()]] += 1
    return counts


def choose(labels: npt.NDArray[np.int64], split: str, total: int) -> npt.NDArray[np.int64]:
    """The indices of the sample, rising."""
    counts = largest_remainders(np.bincount(labels, minlength=10), total)
    chosen = [
        sorted(np.flatnonzero(labels == digit).tolist(), key=lambda index: rank(split, index))
        for digit in range(10)
    ]
    return np.sort(
        np.concatenate([indices[:count] for indices, count in zip(chosen, counts, strict=True)])
    )


def rank(split: str, index: int) -> bytes:
    """What the pictures of a digit are sorted by."""
    return hashlib.sha256(f"minicnn digits {split} {index}".encode()).digest()


def write_npz(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Write ``arrays`` as np.savez_compressed does, without the date, so that bytes repeat."""
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", date_time=EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3  # Unix, wherever it runs
            member.external_attr = 0o644 << 16
            content = io.BytesIO()
            np.lib.format.write_array(content, array, version=(1, 0), allow_pickle=False)
            archive.writestr(member, content.getvalue(), compresslevel=9)


def main(arguments: list[str] | None = None) -> int:
    """Make the file and print what is in it."""
    parser = argparse.ArgumentParser(description="Make the digits that come with minicnn.")
    parser.add_argument("folder", type=Path, help="where MNIST's IDX files are")
    parser.add_argument("output", type=Path, nargs="?", default=OUTPUT, help="default: %(default)s")
    options = parser.parse_args(arguments)
    arrays: dict[str, npt.NDArray[Any]] = {}
    for split, total in COUNTS.items():
        dataset = mnist(options.folder, split)
        indices = choose(dataset.labels, split, total)
        arrays[f"{split}_images"] = np.ascontiguousarray(dataset.images[indices, 0])
        arrays[f"{split}_labels"] = dataset.labels[indices].astype(np.uint8)
        arrays[f"{split}_indices"] = indices.astype("<i4")
        counts = np.bincount(dataset.labels[indices], minlength=10)
        print(f"{split}: {total} of {len(dataset)}, of each digit {counts.tolist()}")
    write_npz(options.output, arrays)
    for name, array in arrays.items():
        print(f"{name:14} {hashlib.sha256(array.tobytes()).hexdigest()}")
    print(f"{options.output}: {options.output.stat().st_size:,} bytes")
    print(f"{'SHA-256':14} {hashlib.sha256(options.output.read_bytes()).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
