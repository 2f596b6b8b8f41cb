"""The file that checkpoints are kept in: arrays by name and a JSON header, in one zip, no pickle.

Any unzip program opens it, and ``numpy.load(path)["net/0.weight"]`` reads an array. The entries are
not compressed, for weights do not shrink:

    header.json            what the file holds; "arrays" lists each array's dtype and shape
    timing.json            (where there is any) what a clock measured
    net/0.weight.npy …     the arrays, little-endian, in NumPy's own format

and the zip's comment is the SHA-256 of all bytes before it, so that no damage goes unseen. The
bytes depend on the content alone, never on the time of day, the machine or the order of a dict: two
files are equal if and only if what they hold is equal.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Callable, Mapping
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ._version import __version__
from .errors import CheckpointError, describe
from .files import atomic_write

if TYPE_CHECKING:
    from zipfile import ZipFile

FORMAT = "minicnn checkpoint"
VERSION = 1
"""Of the format; a file with a higher number is refused."""

Arrays = dict[str, npt.NDArray[Any]]
Header = dict[str, Any]

_HEADER = "header.json"
_SEAL = b"minicnn sha256 "
_HEX = 64
_START = b"PK\x03\x04"
_DAMAGE = (ValueError, KeyError, RuntimeError, EOFError, OSError, struct.error)
"""What zipfile, json and NumPy raise at bytes they cannot read (BadZipFile is added below)."""


def write(
    path: str | os.PathLike[str],
    header: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]],
    timing: Any = None,
) -> None:
    """Write the file as a whole or not at all: a kill at any moment leaves the old or the new one.

    Args:
        path: Where to; an older file there is replaced.
        header: JSON-able; "format", "version", "minicnn" and "arrays" are added.
        arrays: Numbers of any kind, by name.
        timing: JSON-able data of their own, or None: what may differ between two equal runs.

    Raises:
        TypeError, ValueError: the header is not JSON-able, or an array holds no numbers.
        OSError: the file cannot be written.
    """
    import zipfile

    little = {name: _little_endian(name, arrays[name]) for name in sorted(arrays)}
    listed = {name: [array.dtype.str, list(array.shape)] for name, array in little.items()}
    own = {"format": FORMAT, "version": VERSION, "minicnn": __version__, "arrays": listed}
    documents = {_HEADER: to_json({**header, **own})}
    if timing is not None:
        documents["timing.json"] = to_json(timing)
    with atomic_write(path) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name, text in documents.items():
                archive.writestr(_entry(name), text.encode())
            for name, array in little.items():
                with archive.open(_entry(f"{name}.npy"), "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)
            archive.comment = _SEAL + b"0" * _HEX
        with open(temporary, "r+b") as file:
            digest = _digest(file)
            file.seek(-_HEX, os.SEEK_END)
            file.write(digest)


def read(
    path: str | os.PathLike[str], wanted: Callable[[str], bool] = lambda name: True
) -> tuple[Header, Arrays, Any]:
    """Read a file that `write` wrote, after checking every byte of it.

    Args:
        path: The file.
        wanted: Whether to read the array of this name.

    Returns:
        (header, arrays, timing).

    Raises:
        CheckpointError: the file is empty, truncated, corrupt, foreign or of a newer format.
        OSError: it cannot be opened.
    """
    import zipfile

    with open(path, "rb") as file:
        sealed = _check_seal(file, path)
        try:
            with _open(file, path) as archive:
                header = _header(archive, path)
                if not sealed:
                    raise CheckpointError(f"{path} is truncated or corrupt: its last bytes differ")
                arrays = _read_arrays(archive, header, path, wanted)
                timing = None
                if "timing.json" in archive.namelist():
                    timing = json.loads(archive.read("timing.json"))
        except CheckpointError:
            raise
        except (zipfile.BadZipFile, *_DAMAGE) as error:
            raise CheckpointError(f"{path} is corrupt: {error}") from error
    return header, arrays, timing


def to_json(value: Any) -> str:
    """``value`` as JSON, always in the same words: keys sorted, NumPy's numbers as plain ones.

    Raises:
        TypeError, ValueError: it holds something that JSON cannot say, NaN and infinity included.
    """
    return json.dumps(
        value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False, default=_plain
    )


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{describe(value)} cannot be written as JSON")


def _entry(name: str) -> Any:
    """A zip entry that says nothing of when and where it was made."""
    from zipfile import ZipInfo

    info = ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


def _little_endian(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array = np.asarray(array)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"array {name!r} must hold numbers, got dtype {array.dtype}")
    return np.require(array, array.dtype.newbyteorder("<"), "C").reshape(array.shape)


def _digest(file: IO[bytes]) -> bytes:
    """The SHA-256 of all but the last 64 bytes, in 64 hexadecimal digits."""
    import hashlib

    left = file.seek(0, os.SEEK_END) - _HEX
    file.seek(0)
    sha256 = hashlib.sha256()
    while left > 0:
        piece = file.read(min(left, 1 << 20))
        sha256.update(piece)
        left -= len(piece)
    return sha256.hexdigest().encode()


def _check_seal(file: IO[bytes], path: str | os.PathLike[str]) -> bool:
    """Whether the file ends in a seal; one that does not fit the bytes before it is refused."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - len(_SEAL) - _HEX))
    end = file.read()
    sealed = end.startswith(_SEAL)
    if sealed and end[-_HEX:] != _digest(file):
        raise CheckpointError(f"{path} is corrupt: its bytes do not match its SHA-256")
    file.seek(0)
    return sealed


def _open(file: IO[bytes], path: str | os.PathLike[str]) -> ZipFile:
    """The zip in ``file``; what is no zip is refused, with the likeliest reason."""
    import zipfile

    start = file.read(30 + len(_HEADER))
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, *_DAMAGE) as error:
        if not start:
            raise CheckpointError(f"{path} is empty") from error
        if start.startswith(_START):
            raise CheckpointError(f"{path} is truncated: its end is missing") from error
        raise CheckpointError(
            f"{path} is not a minicnn checkpoint: it starts with {start[:8]!r}"
        ) from error
    _check_entries(archive, size, path)
    return archive


def _check_entries(archive: ZipFile, size: int, path: str | os.PathLike[str]) -> None:
    """Refuse entries that would unpack to more than the file holds, or come twice."""
    import zipfile

    entries = archive.infolist()
    seen: set[str] = set()
    for entry in entries:
        if entry.filename in seen:
            raise CheckpointError(f"{path} is corrupt: it holds {entry.filename} twice")
        seen.add(entry.filename)
        if entry.compress_type != zipfile.ZIP_STORED:
            raise CheckpointError(
                f"{path} is not a minicnn checkpoint: its entry {entry.filename} is compressed"
            )
        if entry.file_size != entry.compress_size:
            raise CheckpointError(f"{path} is corrupt: its entry {entry.filename} has two sizes")
    claimed = sum(entry.file_size for entry in entries)
    if claimed > size:  # they overlap, and each would be read into memory of its own
        raise CheckpointError(
            f"{path} is corrupt: it has {size} bytes and its entries {claimed} together"
        )


def _header(archive: ZipFile, path: str | os.PathLike[str]) -> Header:
    """The header, of a format that this version reads."""
    if _HEADER not in archive.namelist():
        names = ", ".join(archive.namelist()[:3]) or "nothing"
        raise CheckpointError(
            f"{path} is not a minicnn checkpoint: it is a zip file (holding {names}, …) that has "
            f"no {_HEADER}"
        )
    header = json.loads(archive.read(_HEADER))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not a minicnn checkpoint: its {_HEADER} does not say so")
    version = header.get("version")
    if isinstance(version, int) and version > VERSION:
        raise CheckpointError(
            f"{path} has format version {version}, written by minicnn {header.get('minicnn')}; "
            f"this is minicnn {__version__}, which reads up to version {VERSION}: upgrade minicnn"
        )
    if version != VERSION or not isinstance(header.get("arrays"), dict):
        raise CheckpointError(f"{path} is corrupt: its header is not one of version {VERSION}")
    return header


def _read_arrays(
    archive: ZipFile,
    header: Header,
    path: str | os.PathLike[str],
    wanted: Callable[[str], bool],
) -> Arrays:
    listed = header["arrays"]
    present = {name[:-4] for name in archive.namelist() if name.endswith(".npy")}
    if present != listed.keys():
        odd = ", ".join(sorted(present ^ listed.keys())[:4])
        raise CheckpointError(
            f"{path} is corrupt: its header and its arrays disagree about which there are: {odd}"
        )
    return {name: _read_array(archive, name, listed[name], path) for name in listed if wanted(name)}


def _read_array(
    archive: ZipFile, name: str, expected: list[Any], path: str | os.PathLike[str]
) -> npt.NDArray[Any]:
    """One array, if it is what the header says of it; its memory is claimed after that check."""
    with archive.open(f"{name}.npy") as file:
        shape, fortran, dtype = _array_header(file, name, path)
        if [dtype.str, list(shape)] != expected or fortran or dtype.kind not in "fiub":
            raise CheckpointError(
                f"{path} is corrupt: {name} is {dtype.str} {shape}, its header says {expected}"
            )
        array = np.frombuffer(file.read(), dtype)
        size = math.prod(shape)
    if array.size != size:
        raise CheckpointError(
            f"{path} is corrupt: {name} holds {array.size} values and should hold {size}"
        )
    return array.reshape(shape).astype(dtype.newbyteorder("="))


def _array_header(file: IO[bytes], name: str, path: str | os.PathLike[str]) -> tuple[Any, ...]:
    """(shape, whether it is in Fortran's order, dtype) of the array that begins here."""
    try:
        if np.lib.format.read_magic(file) != (1, 0):
            raise CheckpointError(f"{path} is corrupt: {name} has another format than expected")
        return np.lib.format.read_array_header_1_0(file)
    except CheckpointError:
        raise
    except Exception as error:  # it is parsed as Python: what does not fit may raise anything
        raise CheckpointError(
            f"{path} is corrupt: {name} cannot be read: {error!r:.200}"
        ) from error
