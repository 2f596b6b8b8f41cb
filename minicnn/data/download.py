"""Fetching a file of known size and SHA-256 from one of several mirrors, and never half of one.

What has arrived is kept in ``NAME.part`` beside the target. The next attempt, from whatever mirror
and in whatever process, asks for the rest only: the mirrors hold the same bytes, and the checksum
of the whole decides in the end. Only a file that passes it is given its name. Of several processes
that want the same file one fetches it, and the others wait for it.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..errors import DataError
from ..files import lock, name_errors

CHUNK = 1 << 16
OK, PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 200, 206, 416  # HTTP statuses
ATTEMPTS = 4  # per mirror, as long as each brings the download forward or starts it afresh


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch.

    Attributes:
        name: Its name on disk.
        size: Its length in bytes.
        sha256: The SHA-256 of its bytes, in hexadecimal.
        urls: Where to get it, best first; http or https.
    """

    name: str
    size: int
    sha256: str
    urls: tuple[str, ...]


class _MirrorError(Exception):
    """This mirror does not serve the file: try the next one."""


class _InterruptedError(Exception):
    """The connection broke while data were coming: worth another try."""


def download(file: RemoteFile, folder: str | os.PathLike[str], *, timeout: float = 20.0) -> Path:
    """Fetch ``file`` into ``folder``, which is made if need be; nothing happens if it is there.

    The mirrors are tried in order. A connection that breaks is taken up where it broke, by a Range
    request, or from the start if the server knows no ranges. A progress bar is shown where standard
    error is a terminal.

    Args:
        file: What to fetch.
        folder: Where to put it, as ``folder / file.name``.
        timeout: How many seconds a server may stay silent.

    Returns:
        The path of the file, which has the right size and SHA-256.

    Raises:
        DataError: no mirror delivered it; the message has every mirror's reason. What has arrived
            is kept for the next attempt.
        OSError: the file cannot be written.
    """
    target = Path(folder) / file.name
    if _is_there(target, file):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _own_part(target, patience=2 * timeout) as part:
            if not _is_there(target, file):  # as it is if another process has just brought it
                _from_a_mirror(file, part, timeout)
                os.replace(part, target)
    except (DataError, OSError):
        if not _is_there(target, file):
            raise
    return target


@contextlib.contextmanager
def _own_part(target: Path, patience: float) -> Iterator[Path]:
    """Where to put what arrives: ``NAME.part``, which one process or thread has at a time.

    Others wait for it. When it has not grown for ``patience`` seconds, whoever has it hangs or was
    stopped, and the next one gets a file of its own, which is thrown away if it is not completed.
    """
    part = target.with_name(target.name + ".part")
    size, since = _size(part), time.monotonic()
    while time.monotonic() - since < patience:
        with lock(target.with_name(f".{target.name}.lock")) as mine:
            if mine:
                yield part
                return
        time.sleep(0.05)
        if _size(part) != size:
            size, since = _size(part), time.monotonic()
    own = part.with_name(f"{part.name}-{os.urandom(4).hex()}")
    try:
        yield own
    finally:
        own.unlink(missing_ok=True)


def _from_a_mirror(file: RemoteFile, part: Path, timeout: float) -> None:
    """Complete ``part`` from the first mirror that delivers."""
    reasons = []
    with _progress(file) as bar:
        for url in file.urls:
            try:
                _fetch(url, file, part, timeout, bar)
            except _MirrorError as error:
                reasons.append(f"  {url}: {error}")
            else:
                return
    raise DataError("\n".join([f"could not download {file.name} from any mirror:", *reasons]))


def sha256_of(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    import hashlib

    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _is_there(target: Path, file: RemoteFile) -> bool:
    return target.is_file() and _matches(target, file)


def _matches(path: Path, file: RemoteFile) -> bool:
    return path.stat().st_size == file.size and sha256_of(path) == file.sha256


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _fetch(url: str, file: RemoteFile, part: Path, timeout: float, bar: Any) -> None:
    """Complete ``part`` from one mirror, with several attempts, and check it."""
    reason = ""
    for _ in range(ATTEMPTS):
        before = _size(part)
        if before > file.size:
            part.unlink()
            before = 0
        if before < file.size:
            try:
                _receive(url, file, part, timeout, bar)
            except _InterruptedError as error:
                reason = str(error)
                if _size(part) <= before:
                    break
                continue
        if _matches(part, file):
            return
        part.unlink()
        reason = "what it sends has another SHA-256 than expected"
        if before == 0:
            break  # all of it came from here, so that another attempt would bring the same
    raise _MirrorError(reason)


def _receive(url: str, file: RemoteFile, part: Path, timeout: float, bar: Any) -> None:
    """One request for what ``part`` still lacks, appended to it as it comes."""
    offset = _size(part)
    with _open(url, offset, timeout) as response, name_errors(part):
        start = _start_of(response, offset, file)
        with open(part, "r+b" if start else "wb") as out:
            out.seek(start)
            bar.update(start - bar.n)
            while chunk := _read(response, min(CHUNK, file.size - out.tell() + 1)):
                if out.tell() + len(chunk) > file.size:
                    out.truncate(0)
                    raise _MirrorError(f"it sends more than the {file.size} bytes expected")
                out.write(chunk)
                bar.update(len(chunk))
            out.flush()
            os.fsync(out.fileno())
            if out.tell() < file.size:
                raise _InterruptedError(
                    f"the connection ended after {out.tell()} of {file.size} bytes"
                )


def _open(url: str, offset: int, timeout: float) -> Any:
    """The response to a request for ``url`` from byte ``offset`` on."""
    import http.client
    import urllib.error
    import urllib.request

    headers = {"User-Agent": "minicnn", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    request = urllib.request.Request(url, headers=headers)
    try:
        return urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == RANGE_NOT_SATISFIABLE:
                raise _MirrorError("its file is shorter than expected") from None
            raise _MirrorError(f"HTTP status {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise _MirrorError(f"no connection: {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        raise _MirrorError(f"no answer: {_text(error)}") from None


def _start_of(response: Any, offset: int, file: RemoteFile) -> int:
    """At which byte of the file the response begins; it must be of the expected length."""
    length = response.headers.get("Content-Length", "")
    start, total = 0, int(length) if length.isdigit() else None
    if response.status == PARTIAL_CONTENT:
        given = response.headers.get("Content-Range", "")
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", given)
        if match is None or int(match[1]) != offset:
            raise _MirrorError(f"asked for bytes from {offset} on, it sends {given!r}")
        start, total = offset, None if match[2] == "*" else int(match[2])
    elif response.status != OK:
        raise _MirrorError(f"HTTP status {response.status}")
    if total is not None and total != file.size:
        raise _MirrorError(f"its file has {total} bytes instead of {file.size}")
    return start


def _read(response: IO[bytes], count: int) -> bytes:
    """Up to ``count`` bytes; none at the end of the response."""
    import http.client

    try:
        return response.read(count)
    except http.client.IncompleteRead as error:
        return error.partial
    except (OSError, http.client.HTTPException) as error:
        raise _InterruptedError(f"the connection broke: {_text(error)}") from None


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__


class _NoBar:
    """Stands in for the progress bar where nobody watches."""

    n = 0

    def update(self, count: int) -> None:
        self.n += count


@contextlib.contextmanager
def _progress(file: RemoteFile) -> Iterator[Any]:
    if sys.stderr is None or not sys.stderr.isatty():
        yield _NoBar()
        return
    from tqdm import tqdm

    with tqdm(total=file.size, desc=file.name, unit="B", unit_scale=True) as bar:
        yield bar
