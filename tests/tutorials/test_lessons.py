"""Every lesson runs from top to bottom, offline, and says no number that it does not show."""

from __future__ import annotations

import os
import re
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


def run(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> lessons.Lesson:
    """The lesson, run in an empty folder unless it has been run before."""
    import matplotlib

    matplotlib.use("Agg")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    return lessons.run(path)


@EVERY
def test_a_lesson_runs_and_proves_its_numbers(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lesson = run(path, tmp_path, monkeypatch)
    assert lessons.unsupported(lesson) == set(), "claims of the prose that nothing holds"
    assert lesson.figures >= 1, "a lesson without a picture"


@EVERY
def test_a_changed_number_is_noticed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(path, tmp_path, monkeypatch)
    again = tmp_path / "again"
    again.mkdir()
    assert lessons.lasting_survivors(path, again) == set(), "changes that nothing would notice"


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


def doubts(text: str, tmp_path: Path) -> set[str]:
    """What is not held in a lesson of this text; "###" stands for the head of a code cell."""
    head = lessons.PATHS[0].read_text(encoding="utf-8").partition("\n# ")[0]
    body = text.replace("###", "```{code-cell} python").replace("##/", "```")
    path = tmp_path / f"{abs(hash(text))}.md"
    path.write_text(f"{head}\n# 0. Try\n\n{body}\n", encoding="utf-8")
    return lessons.unsupported(lessons.run(path))


CELL = "\n\n###\n{}\n##/\n"


@pytest.mark.parametrize(
    ("prose", "cell", "missing"),
    [
        # Numbers: those of two digits and more, with a point or a minus, and digits.
        ("There are 27 of 1,000, or 2.7 %, and `99`.", "print(27 + 0, 27 / 10)", {"1,000"}),
        ("The product is 12 and −3.", "assert 3 * 4 == 12", {"-3"}),
        ("It is −3.", "assert 3 - 6 == -3", set()),
        ("It is 3 here.", "assert 4 - 7 == -3", {"3"}),
        ("A gap of 3-1 places.", "print(3)", set()),
        ("The answer is 0, and there are 4.", "print(4)", {"0"}),
        ("A quarter, 1/4, and 0/0.", "print(0.25)", set()),
        ("In lessons 10 and 12, in rung 6:\n\n1. one", "", set()),
        # Shapes.
        ("Of 2×3 and (4, 5).", "assert len((2, 3, 4)) == 3 and (5, 4)", {"4, 5"}),
        ("A batch B×3×28×28.", "print((64, 3, 28, 28))", set()),
        # Formulas.
        ("So $2 \\cdot 5 + 5 = 15$ and $(1 - 4)/\\sqrt 5 = -1.3416$.", "", set()),
        ("So $2 \\cdot 5 + 4 = 15$.", "", {"2 \\cdot 5 + 4 = 15"}),
        ("So $0.75 - 0.44 = 0.3$.", "", {"0.75 - 0.44 = 0.3"}),
        ("So $x_{12} + 3 y^2 = 17$.", "", {"17"}),
        # What holds nothing: comments, docstrings, other code, indices, and source that is shown.
        ("There are 27.", "27 + 1  # 27", {"27"}),
        ("There are 27.", 'def f():\n    """27"""\n    return 27', {"27"}),
        ("There are 27.", "x = [0] * 28\nassert x[27] == 0", {"27"}),
        ("There are 27.", "assert abs(26.5 - 26) < 27", {"27"}),
        ("There are 27, less than 30.", 'assert 27 < 30 == 5 * 6, "27, less than 30"', set()),
        ("It is off by 0.1.", "import math\nassert math.isclose(2, 2, abs_tol=0.1)", {"0.1"}),
        ("There are 16.", "from minicnn.learn import source\nsource('init.py')", {"16"}),
        # Quotations.
        ("It has 27 rows.", 'assert 20 + 7 == 27, "27 rows"', set()),
        ("It has 27 rows.", 'assert 20 + 6 == 26, "27 rows"', {"27"}),
        ("It has 28 rows.", 'assert 20 + 7 == 27, "27 rows"', {"28", "not in the prose: 27 rows"}),
        ("It is\nlarge.", 'assert 5 > 4, "It is large"', set()),
    ],
)
def test_the_rule(prose: str, cell: str, missing: set[str], tmp_path: Path) -> None:
    assert doubts(prose + CELL.format(cell), tmp_path) == {f"head: {text}" for text in missing}


def test_a_claim_is_held_by_its_own_section_only(tmp_path: Path) -> None:
    text = (
        "## One\n\nIt is 27." + CELL.format("pass") + "\n## Two\n\nWell." + CELL.format("print(27)")
    )
    assert doubts(text, tmp_path) == {"One: 27"}


@pytest.mark.parametrize(
    ("prose", "cell", "expected"),
    [
        ("It has 27 rows.", "print(27)", 0),
        ("It has 27 rows.", "print(27, 28)", 1),
        ("It has 27 rows.", 'assert 27 < 28, "27 rows"', 0),
        ("It is 2×3.", "print((2, 3), (2, 4))", 1),
        ("It is $3 + 0 = 3$.", "", 0),
        ("It is $3 + 5 \\cdot 0 = 3$.", "", 2),
    ],
)
def test_changes_that_survive(prose: str, cell: str, expected: int) -> None:
    lesson = lessons.Lesson([lessons.Section("", prose, [cell], [printed(cell)])])
    assert lessons.unsupported(lesson) == set()
    assert len(lessons.survivors(lesson)) == expected


def printed(cell: str) -> str:
    return lessons.execute(cell, "cell", {})


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


def test_a_number_that_is_measured_may_be_another_one_by_chance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = iter([{"by chance", "lasting"}, {"lasting", "by chance too"}, set()])
    monkeypatch.setattr(lessons, "survivors", lambda lesson: next(runs))
    path = lessons.PATHS[1]
    assert lessons.lasting_survivors(path, tmp_path) == {"lasting"}
    assert lessons.lasting_survivors(path, tmp_path) == set()
