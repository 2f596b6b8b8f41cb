"""atomic_write: the old file or the new one, never half of either."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from minicnn.files import atomic_write


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


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
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
