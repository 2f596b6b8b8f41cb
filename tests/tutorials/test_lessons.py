"""Every lesson runs from top to bottom, offline, and says no number that it does not show."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("jupytext")

from minicnn import kernels, learn

from . import lessons

EVERY = pytest.mark.parametrize("path", lessons.PATHS, ids=lambda path: path.stem)
pytestmark = pytest.mark.skipif(
    kernels.info()["engine"] == "reference", reason="lessons train nets: too slow without kernels"
)


@EVERY
def test_a_lesson_runs_and_proves_its_numbers(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib

    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    lesson = lessons.run(path)
    assert lessons.unsupported(lesson) == set(), "numbers in the prose that no cell shows"
    assert lesson.figures >= 1, "a lesson without a picture"


@EVERY
def test_a_lesson_has_what_every_lesson_has(path: Path) -> None:
    number, text = path.name[:2], path.read_text(encoding="utf-8")
    lesson = learn.lesson(number)
    assert f"\n# {int(number)}. {lesson.title}\n" in text
    assert f"> **The question.** {lesson.question}" in text
    if lesson.exercises:
        assert f"minicnn learn start {number}" in text
        for exercise in lesson.exercises:
            assert f"`{exercise.name}.py`" in text, f"{exercise.name} is not mentioned"
    assert not re.search(r"^[%!]", text, re.M), "notebook magic"


def test_links_between_lessons_lead_somewhere() -> None:
    for path in [*lessons.PATHS, lessons.TUTORIALS / "README.md"]:
        for link in re.findall(r"\]\(([\w.-]+\.md)\)", path.read_text(encoding="utf-8")):
            assert (lessons.TUTORIALS / link).is_file(), f"{path.name} links to {link}"


def test_the_list_of_lessons_is_complete() -> None:
    text = (lessons.TUTORIALS / "README.md").read_text(encoding="utf-8")
    for path in lessons.PATHS:
        lesson = learn.lesson(path.name[:2])
        row = f"| {int(lesson.number)} | [{lesson.title}]({path.name}) | {lesson.question} |"
        assert row in text


def test_an_unproven_number_is_found(tmp_path: Path) -> None:
    path = tmp_path / "00-try.md"
    shutil.copy(lessons.PATHS[0], path)
    text = path.read_text(encoding="utf-8")
    head = text[: text.index("\n# ")]
    path.write_text(
        head + "\n# 0. Try\n\nThere are 27 of 1,000, or 2.7 %, and `99` in 3.\n\n"
        "```{code-cell} python\nprint(27 + 0, 27 / 10)\n```\n",
        encoding="utf-8",
    )
    assert lessons.unsupported(lessons.run(path)) == {"1000"}


def test_a_cell_that_raises_fails(tmp_path: Path) -> None:
    path = tmp_path / "00-try.md"
    text = lessons.PATHS[0].read_text(encoding="utf-8")
    path.write_text(
        text[: text.index("\n# ")] + "\n# 0. Try\n\n```{code-cell} python\nassert 1 == 2\n```\n",
        encoding="utf-8",
    )
    with pytest.raises(AssertionError):
        lessons.run(path)
    assert os.path.exists(path)
