"""atomic_write: the old file or the new one, never half of either."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from minicnn.files import atomic_write, lock

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX permissions and links")


def test_writes_and_leaves_nothing_else(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        assert not (tmp_path / "a.txt").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "new"


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write_half() -> None:
        with atomic_write(target) as temporary:
            temporary.write_text("ne")
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        write_half()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert target.read_text() == "old"


def test_the_temporary_name_keeps_the_suffix(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a.npz") as temporary:
        assert temporary.suffix == ".npz"
        assert temporary.parent == tmp_path


@posix
def test_the_file_is_an_ordinary_one(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with atomic_write(tmp_path / "atomic") as temporary:
        temporary.write_text("")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "atomic")}
    assert len(modes) == 1


def test_says_what_is_wrong_with_the_path(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotFoundError, match="there is no folder"),
        atomic_write(tmp_path / "no" / "a"),
    ):
        pass
    with pytest.raises(IsADirectoryError, match="it is a folder"), atomic_write(tmp_path):
        pass


def write(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text)


def test_it_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut after the rename must not find an empty file, nor the rename undone."""
    done: list[str] = []
    replace = os.replace

    def fsync(handle: int) -> None:
        what = os.fstat(handle)
        done.append("folder" if stat.S_ISDIR(what.st_mode) else f"{what.st_size} bytes")

    def rename(source: Path, target: Path) -> None:
        done.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", rename)
    write(tmp_path / "a", "12345")
    assert done == ["5 bytes", "rename"] + ["folder"] * (os.name == "posix")


@posix
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_the_permissions_of_an_older_file_stay(tmp_path: Path, mode: int) -> None:
    target = tmp_path / "a"
    target.write_text("old")
    target.chmod(mode)
    with atomic_write(target) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) & ~(mode | 0o600) == 0
        temporary.write_text("new")
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == mode


@posix
def test_the_umask_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It belongs to the process: another thread's files would get the wrong permissions."""
    monkeypatch.setattr(os, "umask", lambda _: pytest.fail("the umask was changed"))
    write(tmp_path / "a", "new")


@posix
@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_written_through(tmp_path: Path, there: bool) -> None:
    (tmp_path / "disk").mkdir()
    target, link = tmp_path / "disk" / "a", tmp_path / "link"
    if there:
        target.write_text("old")
        target.chmod(0o600)
    link.symlink_to("disk/a")
    write(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert not there or stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "disk", "link"]


@posix
def test_what_cannot_be_replaced_is_refused(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(OSError, match="circle"):
        write(tmp_path / "circle", "")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe: it is not an ordinary file"):
        write(tmp_path / "pipe", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["circle", "pipe"]


def test_a_long_name(tmp_path: Path) -> None:
    write(tmp_path / ("n" * 250), "new")
    assert (tmp_path / ("n" * 250)).read_text() == "new"


WRITER = """
import sys, time
from minicnn.files import atomic_write
with atomic_write(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def writer(path: Path) -> subprocess.Popen[bytes]:
    """A process in the middle of writing ``path``."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    return process


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@posix
def test_what_kills_leave_behind_is_removed(tmp_path: Path) -> None:
    for _ in range(2):
        with writer(tmp_path / "a.npz") as process:
            process.kill()
    others = [".a.npz.x.tmp.npz", ".b.npz.12345678.tmp.npz", "a.npz.12345678.tmp.npz"]
    for name in others:
        (tmp_path / name).touch()
    assert len(names(tmp_path)) == len(others) + 1  # the second swept up after the first
    write(tmp_path / "a.npz", "new")
    assert names(tmp_path) == sorted(["a.npz", *others])


@posix
def test_two_writers_do_not_disturb_each_other(tmp_path: Path) -> None:
    with writer(tmp_path / "a") as process, atomic_write(tmp_path / "a") as mine:
        mine.write_text("mine")
        write(tmp_path / "a", "third")
        assert len(names(tmp_path)) == 3
        process.kill()
    assert (tmp_path / "a").read_text() == "mine"


def test_many_threads_write_the_same_file(tmp_path: Path) -> None:
    texts = [str(number) * 1000 for number in range(8)]
    faults: list[BaseException] = []

    def work(text: str) -> None:
        try:
            for _ in range(20):
                write(tmp_path / "a", text)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert (tmp_path / "a").read_text() in texts
    assert names(tmp_path) == ["a"]


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match=r"too large: .*a\.npz") as caught,
        atomic_write(tmp_path / "a.npz"),
    ):
        raise OSError(errno.EFBIG, "File too large")
    assert caught.value.errno == errno.EFBIG
    with pytest.raises(OSError, match="^in words$"), atomic_write(tmp_path / "a.npz"):
        raise OSError("in words")


def test_a_lock_is_one_processs(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock(path) as mine:
        assert mine
        with lock(path) as other:
            assert not other
    assert not path.exists()
    path.touch()  # left behind by a kill
    with lock(path) as mine:
        assert mine
    assert not path.exists()
