"""Reading IDX files, the format of MNIST and its kin.

An IDX file is a header and the bare values, all big-endian: two zero bytes, one byte that says the
type of the values, one byte with the number of axes, each axis' length as a 32-bit number, and then
the values in row-major order. The 10,000 test pictures of MNIST begin
``00 00 08 03  00 00 27 10  00 00 00 1c  00 00 00 1c``: uint8, three axes, 10000×28×28.

(Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", "The IDX file format".)
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from .array import ArrayDataset

DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
MAX_AXES = 8
GZIP_MAGIC = b"\x1f\x8b"
# Deflate cannot shrink data by more than this (one bit pair for 258 bytes), which bounds what a
# gzipped file of a given size can hold.
GZIP_MAX_RATIO = 1032


def read_idx(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """The array in an IDX file.

    The file may be gzipped; that is told from its first bytes, whatever its name. Nothing is
    allocated before the header is known to fit the size of the file.

    Args:
        path: The file.

    Returns:
        An array of the dtype and shape that the file states (uint8, int8, int16, int32, float32 or
        float64), in native byte order, writable.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: it is not an IDX file, it is damaged, or it holds more or less than its header
            says. The message names the file, what was expected and what was found.
    """
    import gzip
    import zlib

    path = Path(path)
    with open(path, "rb") as raw:
        size = os.fstat(raw.fileno()).st_size
        zipped = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        if not zipped:
            return _read(raw, path, size, exact=True)
        try:
            with gzip.GzipFile(fileobj=raw) as stream:
                return _read(cast(BinaryIO, stream), path, size * GZIP_MAX_RATIO, exact=False)
        except EOFError:
            raise DataError(f"{path}: the gzipped data end too early; is it truncated?") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{path}: the gzipped data are damaged: {error}") from None


def idx_dataset(
    images: str | os.PathLike[str],
    labels: str | os.PathLike[str],
    classes: Sequence[str] | None = None,
) -> ArrayDataset:
    """Labelled pictures from two IDX files, such as those of MNIST, EMNIST, KMNIST or your own.

    Args:
        images: File of uint8 pictures, N×H×W, or N×H×W×C in colour.
        labels: File of N integer labels.
        classes: The names of the classes; None names them "0", "1", …

    Raises:
        FileNotFoundError: a file is not there.
        DataError: a file is damaged, holds something else (the two may be swapped), or the two do
            not belong together.
    """
    pictures, numbers = read_idx(images), read_idx(labels)
    if pictures.dtype != np.uint8 or pictures.ndim not in (3, 4):
        raise DataError(
            f"{images}: expected pictures, uint8 N×H×W or N×H×W×C, "
            f"found {_describe(pictures)}{_swapped(pictures.ndim == 1)}"
        )
    if numbers.dtype.kind not in "iu" or numbers.ndim != 1:
        raise DataError(
            f"{labels}: expected labels, one list of integers, "
            f"found {_describe(numbers)}{_swapped(numbers.ndim == 3)}"
        )
    if len(pictures) != len(numbers):
        raise DataError(
            f"{images} holds {len(pictures)} pictures but {labels} {len(numbers)} labels: "
            "the two files do not belong together"
        )
    try:
        return ArrayDataset(pictures, numbers, classes)
    except ValueError as error:
        raise DataError(f"{images} with {labels}: {error}") from None


def _read(stream: BinaryIO, path: Path, available: int, exact: bool) -> npt.NDArray[Any]:
    """The array in ``stream``, which holds ``available`` bytes (at most that if not ``exact``)."""
    dtype, shape, header = _read_header(stream, path)
    expected = math.prod(shape) * dtype.itemsize
    what = f"{_shape_text(shape)} values of {dtype.name} take {header + expected} bytes"
    if header + expected > available or (exact and header + expected != available):
        found = f"the file has {available}" if exact else "more than this gzipped file can hold"
        raise DataError(f"{path}: its header announces {what}, {found}")
    try:
        array = np.empty(shape, dtype=dtype)
    except ValueError as error:  # no values, but axes beyond what NumPy counts
        raise DataError(f"{path}: its header announces {what}: {error}") from None
    count = _fill(stream, array.reshape(-1).view(np.uint8).data)
    if count < expected:
        raise DataError(f"{path}: its header announces {what}, but it holds {header + count}")
    if stream.read(1):
        raise DataError(f"{path}: its header announces {what}, but it holds more")
    return array.astype(dtype.newbyteorder("="), copy=False)


def _read_header(stream: BinaryIO, path: Path) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """The dtype, the shape, and the length of the header in bytes."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES:
        raise DataError(
            f"{path} is not an IDX file: expected it to begin with 00 00 and a type of "
            f"{', '.join(f'{code:02x}' for code in DTYPES)}, found {magic.hex(' ') or 'no data'}"
        )
    axes = magic[3]
    if not 1 <= axes <= MAX_AXES:
        raise DataError(f"{path}: expected 1 to {MAX_AXES} axes in its header, found {axes}")
    lengths = stream.read(4 * axes)
    if len(lengths) < 4 * axes:
        raise DataError(
            f"{path}: its header of {4 + 4 * axes} bytes ends after {4 + len(lengths)}; "
            "is it truncated?"
        )
    shape = tuple(int(length) for length in np.frombuffer(lengths, dtype=">u4"))
    return DTYPES[magic[2]], shape, 4 + 4 * axes


def _fill(stream: BinaryIO, target: memoryview) -> int:
    """Read into ``target`` until it is full or the stream ends; how many bytes came."""
    count = 0
    while count < len(target):
        chunk = stream.read(min(1 << 20, len(target) - count))
        if not chunk:
            break
        target[count : count + len(chunk)] = chunk
        count += len(chunk)
    return count


def _shape_text(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


def _describe(array: npt.NDArray[Any]) -> str:
    return f"{array.dtype} {_shape_text(array.shape)}"


def _swapped(likely: bool) -> str:
    return "; are the two files swapped?" if likely else ""
