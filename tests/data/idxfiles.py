"""Writing IDX files for the tests."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

CODES = {"uint8": 8, "int8": 9, "int16": 11, "int32": 12, "float32": 13, "float64": 14}


def idx_bytes(array: npt.ArrayLike) -> bytes:
    """The bytes of an IDX file that holds ``array``."""
    values: npt.NDArray[Any] = np.asarray(array)
    header = struct.pack(">BBBB", 0, 0, CODES[values.dtype.name], values.ndim)
    lengths = struct.pack(f">{values.ndim}I", *values.shape)
    return header + lengths + values.astype(values.dtype.newbyteorder(">")).tobytes()


def write_idx(path: Path, array: npt.ArrayLike, *, zipped: bool = False) -> Path:
    """Write ``array`` to ``path`` as an IDX file, gzipped or not."""
    data = idx_bytes(array)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if zipped else data)
    return path
