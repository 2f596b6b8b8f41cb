"""``minicnn learn``: what it prints and how it fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from minicnn import learn
from minicnn.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _progress_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learn, "progress_file", lambda: tmp_path / "learn.json")


def solve(number: str, folder: Path) -> None:
    lesson = learn.lesson(number)
    for exercise in lesson.exercises:
        shutil.copy(lesson.solution(exercise), folder)


def test_from_the_list_to_a_solved_lesson(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "pooling"
    assert main(["learn"]) == 0
    before = capsys.readouterr().out
    assert "06  Pooling                         0 of 3   To whom does a maximum owe" in before
    assert len([line for line in before.splitlines() if line[:2].isdigit()]) == 14
    assert before.endswith("begin with: minicnn learn start 02 DIR\n")

    assert main(["learn", "start", "6", str(folder)]) == 0
    said = capsys.readouterr().out
    assert str(folder / "max_pooling.py") in said
    assert f"then: minicnn learn check 06 {folder}" in said

    assert main(["learn", "check", "06", str(folder)]) == 1
    said = capsys.readouterr().out
    assert "max_pooling: 0 of 7 hold" in said
    assert "max_pooling: 0 of 7 hold\n      max_pooling.py, line 21: not written yet\n" in said
    assert said.count("not written yet") == 2  # once for each of the two files to be written

    solve("06", folder)
    assert main(["learn", "check", "06", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "max_pooling: 7 of 7 hold" in said
    assert "ok  Of equal values the first wins" in said

    assert main(["learn"]) == 0
    assert "06  Pooling                         3 of 3" in capsys.readouterr().out


def test_the_list_says_what_to_do_next(capsys: Capture) -> None:
    def last_line(done: dict[str, list[str]]) -> str:
        learn.progress_file().write_text(json.dumps(done), encoding="utf-8")
        assert main(["learn"]) == 0
        return capsys.readouterr().out.splitlines()[-1]

    names = {
        lesson.number: [exercise.name for exercise in lesson.exercises] for lesson in learn.LESSONS
    }
    assert last_line({"06": names["06"]}) == "go on with: minicnn learn start 02 DIR"
    assert last_line({"02": names["02"]}) == "go on with: minicnn learn start 03 DIR"
    assert last_line({"02": names["02"][:1]}) == "go on with: minicnn learn check 02 DIR"
    assert last_line(names) == "all exercises of all lessons hold"


def test_a_file_that_cannot_be_read_counts_all_its_checks(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "pooling"
    learn.start(6, folder)
    (folder / "max_pooling.py").write_text("def forward(:", encoding="utf-8")
    assert main(["learn", "check", "6", str(folder)]) == 1
    said = capsys.readouterr().out
    assert "max_pooling: 0 of 7 hold" in said
    assert said.count("max_pooling.py, line 1: invalid syntax") == 1


def test_what_the_reader_prints_is_beside_its_check(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "pooling"
    learn.start(6, folder)
    text = (
        "print('loading')\n"
        "def forward(x, k, s):\n"
        "    for n in range(12):\n        print('turn', n)\n"
        "    return x\n"
        "def backward(dy, shape, k, s):\n    raise NotImplementedError\n"
    )
    (folder / "average_pooling.py").write_text(text, encoding="utf-8")
    assert main(["learn", "check", "6", str(folder)]) == 1
    said = capsys.readouterr().out
    part = said[said.index("average_pooling: 0 of 4 hold") :]
    first, second = part.split("          printed: loading\n")
    assert "The averages of four windows" in first
    assert second.startswith("          printed: turn 0\n")
    assert "          printed: turn 8\n          and 3 more lines\n" in said
    assert "turn 9" not in second.partition("Every pixel of a window")[0]
    assert "average_pooling.py, line 7: not written yet" in second


def part(said: str, name: str) -> list[str]:
    """What is said of one exercise."""
    lines = said.splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith(f"{name}: "))
    following = (k for k in range(first + 1, len(lines)) if not lines[k].startswith(" "))
    return lines[first : next(following, len(lines))]


AT_THE_FOURTH = "    if x.shape == (1, 1, 3, 3):\n        {}\n    B, C, H, W = x.shape"


@pytest.mark.parametrize(
    ("head", "inside", "held", "wrong"),
    [
        ("import os; os._exit(0)", "", 0, "it ended the program (exit code 0)"),
        ("import sys; sys.exit()", "", 0, "max_pooling.py, line 1: it ended the program (exit"),
        ("import ctypes; ctypes.string_at(0)", "", 0, "it ended the program ("),
        ("while True: pass", "", 0, "max_pooling.py, line 1: still running after 4 s"),
        ("import os", "os._exit(5)", 3, "it ended the program (exit code 5)"),
        ("import sys", "sys.exit(5)", 6, "max_pooling.py, line 9: it ended the program (exit"),
        ("", "while True: pass", 3, "max_pooling.py, line 9: still running after 4 s"),
    ],
)
def test_a_file_may_do_anything(
    head: str,
    inside: str,
    held: int,
    wrong: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if "while" in head + inside:
        monkeypatch.setattr(learn, "SECONDS", 4)  # the others must be done by then
    solve("06", tmp_path)
    text = (tmp_path / "max_pooling.py").read_text(encoding="utf-8")
    place = "    B, C, H, W = x.shape"
    assert place in text
    text = f"{head}\n{text.replace(place, AT_THE_FOURTH.format(inside or 'pass'))}"
    (tmp_path / "max_pooling.py").write_text(text, encoding="utf-8")
    assert main(["learn", "check", "06", str(tmp_path)]) == 1
    said, error = capfd.readouterr()
    assert error == ""
    first, *lines = part(said, "max_pooling")
    assert first == f"max_pooling: {held} of 7 hold"
    assert sum(line.startswith("  ok  ") for line in lines) == held
    assert sum(line.strip().startswith(wrong) for line in lines) == 1
    at_once = lines[0] == "      Python can read the file"
    assert at_once == (held == 0)
    assert sum(line == "          not run" for line in lines) == (3 if held == 3 else 0)
    assert part(said, "average_pooling")[0] == "average_pooling: 4 of 4 hold"
    assert part(said, "planted_bug")[0] == "planted_bug: 5 of 5 hold"
    assert learn.progress() == {"06": ["average_pooling", "planted_bug"]}


def test_the_debugger_has_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(learn, "SECONDS", 0.5)
    monkeypatch.setenv("PYTHONBREAKPOINT", "time.gmtime")
    solve("02", tmp_path)
    path = tmp_path / "places.py"
    slow = "import time\nbreakpoint()\ntime.sleep(1)\n"
    path.write_text(slow + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert main(["learn", "check", "02", str(tmp_path)]) == 0


def test_a_file_that_is_missing_is_one_that_does_not_hold(tmp_path: Path, capsys: Capture) -> None:
    solve("06", tmp_path)
    (tmp_path / "max_pooling.py").unlink()
    assert main(["learn", "check", "06", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    first, _, wrong = part(said, "max_pooling")
    assert first == "max_pooling: 0 of 7 hold"
    assert wrong.strip().startswith(
        "there is no max_pooling.py: minicnn learn start 06 DIR2 writes"
    )
    assert "planted_bug: 5 of 5 hold" in said
    assert learn.progress() == {"06": ["average_pooling", "planted_bug"]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["start", "99", "x"], "minicnn learn: there is no lesson '99'"),
        (["start", "14", "x"], "minicnn learn: lesson 14, The bug museum, has no exercises"),
        (["check", "06", "nowhere"], "write the files with minicnn learn start"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["learn", *words]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
