"""Writing files so that nobody ever sees half of one, and locks that no kill leaves behind."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_NAME = 100
"""So much of a file's name goes into the name of its temporary file: names have a limit."""
_OLD = 3600.0
"""Seconds after which a temporary file is taken for left behind, where there are no locks."""


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file as a whole or not at all.

    Yields a temporary path in the folder of ``path``. When the block ends well, what was written
    there is flushed to the disk and renamed to ``path``, which replaces an older file in one step
    and keeps its permissions; when it raises, the temporary file is removed and ``path`` is left as
    it was. A symbolic link is written through. What killed writers of ``path`` have left behind is
    removed; others that write to it at this moment are not disturbed.

    Raises:
        FileNotFoundError: the folder of ``path`` does not exist.
        IsADirectoryError: ``path`` is a folder.
        OSError: it is a device or the like, or cannot be written; the message names it.
    """
    target = _target(path)
    _sweep(target)
    handle: int | None = None
    temporary = target
    try:
        handle, temporary = _create(target)
        with name_errors(target):
            yield temporary
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
        if sys.platform == "win32":  # which renames no file that is open
            os.close(handle)
            handle = None
        os.replace(temporary, target)
        _sync_folder(target.parent)
    finally:
        if handle is not None:
            os.close(handle)
        if temporary != target:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def name_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Add ``path`` to an OSError from writing, such as a full disk's, that says not which file."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = os.fspath(path)
        raise


@contextlib.contextmanager
def lock(path: Path) -> Iterator[bool]:
    """Have the file ``path``, made for this alone, to oneself while the block runs.

    Yields whether that is so: False at once if another process or thread has it. The file goes away
    with the block; should the process be killed, the file stays, but the lock does not.

    Raises:
        OSError: it cannot be made.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        mine = _try_lock(handle) and _is_at(handle, path)
        try:
            yield mine
        finally:
            if mine and sys.platform != "win32":  # which removes no file that is open
                path.unlink(missing_ok=True)
    finally:
        os.close(handle)
    if sys.platform == "win32":
        with contextlib.suppress(OSError):
            path.unlink()


def _target(path: str | os.PathLike[str]) -> Path:
    """The file to write, at the end of all symbolic links, if it is one that can be replaced."""
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(f"cannot write {path}: it is a folder")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {target.parent}")
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    if target.exists() and not target.is_file():
        raise OSError(f"cannot write {path}: it is not an ordinary file")
    return target


def _create(target: Path) -> tuple[int, Path]:
    """A temporary file for ``target``, open and locked, and its path."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        mode = stat.S_IMODE(target.stat().st_mode) & 0o777 | stat.S_IRUSR | stat.S_IWUSR
    except FileNotFoundError:
        mode = 0o666  # the system takes the umask off
    while True:
        name = f".{target.name[:_NAME]}.{os.urandom(4).hex()}.tmp{target.suffix[-_NAME:]}"
        temporary = target.with_name(name)
        try:
            handle = os.open(temporary, flags, mode)
        except FileExistsError:
            continue
        # A sweeper that came between these two lines has taken it for left behind, and removed it.
        if _try_lock(handle) and _is_at(handle, temporary):
            return handle, temporary
        os.close(handle)
        temporary.unlink(missing_ok=True)


def _sweep(target: Path) -> None:
    """Remove the temporary files of ``target`` that nobody writes any more."""
    start, end = re.escape(target.name[:_NAME]), re.escape(target.suffix[-_NAME:])
    pattern = re.compile(rf"\.{start}\.[a-z0-9_]{{8}}\.tmp{end}")
    with contextlib.suppress(OSError), os.scandir(target.parent) as entries:
        found = [entry for entry in entries if pattern.fullmatch(entry.name)]
        for entry in found:
            if entry.is_file(follow_symlinks=False):
                _remove_if_left(Path(entry.path))


def _remove_if_left(path: Path) -> None:
    with contextlib.suppress(OSError):  # it has gone by itself, or is another user's
        if sys.platform == "win32":
            if time.time() - path.stat().st_mtime > _OLD:
                path.unlink()
            return
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            if _try_lock(handle, unknown=False):
                path.unlink()
        finally:
            os.close(handle)


def _try_lock(handle: int, unknown: bool = True) -> bool:
    """Lock an open file if nobody else has; the lock ends when ``handle`` is closed, or by a kill.

    Where the file system knows no locks the answer is ``unknown``.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            # The byte may lie beyond the end of the file, where it is in nobody's way.
            os.lseek(handle, 1 << 30, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return unknown and error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
    return True


def _is_at(handle: int, path: Path) -> bool:
    """Whether the open file is still the one that has this name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` last through a power cut, where the system can (POSIX)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
