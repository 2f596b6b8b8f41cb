"""Every solution passes, every untouched stub fails, and what is wrong is said where it is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minicnn as mc
from minicnn import learn
from minicnn.learn import Exercise, Lesson
from minicnn.learn.exercise import Check, run
from minicnn.museum.checks import same

LESSONS = [lesson for lesson in learn.LESSONS if lesson.exercises]
EVERY = pytest.mark.parametrize(
    ("lesson", "exercise"),
    [(lesson, exercise) for lesson in LESSONS for exercise in lesson.exercises],
    ids=lambda part: part.number if isinstance(part, Lesson) else part.name,
)


@EVERY
def test_the_solution_passes(lesson: Lesson, exercise: Exercise) -> None:
    results = exercise.check(lesson.solution(exercise).parent)
    assert [result.wrong for result in results] == [None] * len(exercise.checks)


@EVERY
def test_the_untouched_stub_fails(lesson: Lesson, exercise: Exercise) -> None:
    results = exercise.check(lesson.stub(exercise).parent)
    assert any(result.wrong for result in results)
    for result in results:  # what is wrong is said by the check or is "not written yet": no crash
        assert result.wrong is None or "Error:" not in result.wrong, result.wrong


@EVERY
def test_files_say_what_they_are(lesson: Lesson, exercise: Exercise) -> None:
    number = [each.name for each in lesson.exercises].index(exercise.name) + 1
    for path in (lesson.stub(exercise), lesson.solution(exercise)):
        head = path.read_text(encoding="utf-8")
        assert head.startswith(f'"""Lesson {int(lesson.number)}, exercise {number}: ')
    states = [str(check.__doc__) for check in exercise.checks]
    assert "None" not in states
    assert len(set(states)) == len(states)


def test_every_lesson_between_has_two() -> None:
    for lesson in learn.LESSONS[1:-1]:
        assert len(lesson.exercises) >= 2, lesson
        folder = learn.HERE / "stubs" / lesson.number
        assert {path.stem for path in folder.glob("*.py")} == {e.name for e in lesson.exercises}


def written(tmp_path: Path, text: str, check: Check) -> str | None:
    """What is said of a file of this text."""
    path = tmp_path / "own.py"
    path.write_text(text, encoding="utf-8")
    return Exercise("own", "", (check,)).check(tmp_path)[0].wrong


def calls(own: object) -> None:
    """It answers 1"""
    if own.answer() != 1:  # type: ignore[attr-defined]
        raise AssertionError("not 1")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("def answer(): return 1", None),
        ("def answer(): return 2", "not 1"),
        ("def answer():\n    raise NotImplementedError", "own.py, line 2: not written yet"),
        (
            "def answer():\n\n    return 1 / 0",
            "own.py, line 3: ZeroDivisionError: division by zero",
        ),
        ("def answer(:", "own.py, line 1: invalid syntax"),
        ("\nimport nothing_of_this_name", "own.py, line 2: ModuleNotFoundError: No module named"),
        ("", "AttributeError: module 'minicnn_exercise_own' has no attribute 'answer'"),
    ],
)
def test_what_is_said_of_a_file(tmp_path: Path, text: str, wrong: str | None) -> None:
    said = written(tmp_path, text, calls)
    assert said == wrong if wrong is None else said is not None and said.startswith(wrong)


def test_the_file_is_read_anew_each_time(tmp_path: Path) -> None:
    assert written(tmp_path, "def answer(): return 2", calls) == "not 1"
    assert written(tmp_path, "def answer(): return 1", calls) is None
    assert [path.name for path in tmp_path.iterdir()] == ["own.py"]  # and no bytecode is left


def test_a_wrong_value_is_named_with_its_place(tmp_path: Path) -> None:
    lesson = learn.lesson(6)
    exercise = next(e for e in lesson.exercises if e.name == "max_pooling")
    text = (
        lesson.solution(exercise).read_text(encoding="utf-8").replace("+= gradient", "= gradient")
    )
    (tmp_path / "max_pooling.py").write_text(text, encoding="utf-8")
    results = {result.states: result.wrong for result in exercise.check(tmp_path)}
    assert results.pop("A pixel that wins nine windows is paid nine times") == (
        "dx at (2, 2): 1, expected 9; 1 of 25 values differ"
    )
    every = "A batch with channels, any window, stride and padding: the same as MaxPool2D"
    assert results.pop(every) is not None
    assert set(results.values()) == {None}


def test_a_relative_folder_has_lines_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = "import numpy as np\ndef answer():\n    return np.zeros(2) + np.zeros(3)\n"
    Path("own.py").write_text(text, encoding="utf-8")
    said = Exercise("own", "", (calls,)).check(Path("."))[0].wrong
    assert said is not None
    assert said.startswith("own.py, line 3: ValueError: operands could not be broadcast")


def adds(own: Any) -> None:
    """It answers an array"""
    same("the answer", own.answer()[0], 1)


def unpacks(own: Any) -> None:
    """It answers two arrays"""
    y, mask = own.answer()
    same("y", y, mask)


@pytest.mark.parametrize(
    ("check", "text", "wrong"),
    [
        (adds, "def answer(): 1", "answer returned None: is `return` missing?"),
        (unpacks, "def answer(): 1", "answer returned None: is `return` missing?"),
        (adds, "def answer(): return 1 / 0", "own.py, line 1: ZeroDivisionError: division by zero"),
        (
            unpacks,
            "import numpy\ndef answer(): return numpy.zeros((3, 3))",
            "answer must return 2 values, and it returned one array of shape (3, 3)",
        ),
        (
            unpacks,
            "def answer(): return 1, 2, 3",
            "answer must return 2 values, and it returned a tuple of 3",
        ),
        (unpacks, "def answer(): return 1", "answer must return several values, and it returned"),
    ],
)
def test_another_kind_of_result(tmp_path: Path, check: Check, text: str, wrong: str) -> None:
    said = written(tmp_path, text, check)
    assert said is not None
    assert said.startswith(wrong)


@pytest.mark.parametrize(
    ("returns", "wrong"),
    [
        ("None", "forward returned None: is `return` missing?"),
        ("x", "forward must return two arrays, (y, mask); it returned one array of shape"),
        ("x[0, 0], x[0, 0]", "y: shape (6, 6), expected four axes"),
    ],
)
def test_pooling_without_a_mask(tmp_path: Path, returns: str, wrong: str) -> None:
    exercise = learn.lesson(6).exercises[0]
    text = f"def forward(x, k, s, p):\n    return {returns}\n"
    (tmp_path / "max_pooling.py").write_text(text, encoding="utf-8")
    said = exercise.check(tmp_path)[0].wrong
    assert said is not None
    assert said.startswith(wrong)


@pytest.mark.parametrize("padding", ["0", "-5"])
def test_padding_must_be_minus_infinity(tmp_path: Path, padding: str) -> None:
    lesson = learn.lesson(6)
    exercise = next(e for e in lesson.exercises if e.name == "planted_bug")
    text = lesson.solution(exercise).read_text(encoding="utf-8")
    assert "=-np.inf" in text
    (tmp_path / "planted_bug.py").write_text(text.replace("=-np.inf", f"={padding}"), "utf-8")
    assert exercise.check(tmp_path)[0].wrong is not None


def test_each_planted_bug_is_found_by_a_check_of_its_own(tmp_path: Path) -> None:
    lesson = learn.lesson(6)
    exercise = next(e for e in lesson.exercises if e.name == "planted_bug")
    text = lesson.solution(exercise).read_text(encoding="utf-8")
    for right, wrong, found in (
        ("value > y", "value >= y", ["Of equal values the first is paid"]),
        ("x.shape[3]", "x.shape[2]", ["… and on others"]),
        (
            "np.add.at(dx, (b, c, mask), dy)",
            "dx[b, c, mask] += dy",
            ["Backward is the derivative of forward, on square planes", "… and on others"],
        ),
    ):
        assert text.count(right) == 1
        (tmp_path / "planted_bug.py").write_text(text.replace(right, wrong), encoding="utf-8")
        results = exercise.check(tmp_path)
        assert [result.states for result in results if not result.holds] == found


@pytest.mark.parametrize(
    ("returns", "wrong"),
    [
        ("return dw, dx, dbias", "the order must be (dx, dw, dbias), of shapes (1, 1, 5, 6), ("),
        (
            "return dx, dw",
            "backward must return three arrays, (dx, dw, dbias); it returned a tuple",
        ),
        ("", "backward returned None: is `return` missing?"),
        ("return dx, dw, dbias + 1", None),
        ("return dx + 1, dw, dbias", "dx for B, C, O = 1, 1, 1 at (0, 0, 0, 0)"),
    ],
)
def test_gradients_in_the_wrong_order(tmp_path: Path, returns: str, wrong: str | None) -> None:
    lesson = learn.lesson(4)
    exercise = next(e for e in lesson.exercises if e.name == "channels")
    text = lesson.solution(exercise).read_text(encoding="utf-8")
    ends = "return dx, dw, dy.sum(axis=(0, 2, 3))"
    assert ends in text
    text = text.replace(ends, f"dbias = dy.sum(axis=(0, 2, 3))\n    {returns}")
    (tmp_path / "channels.py").write_text(text, encoding="utf-8")
    said = exercise.check(tmp_path)[0].wrong
    assert said == wrong if wrong is None else said is not None and said.startswith(wrong)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("import sys\nsys.exit()", "own.py, line 2: it ended the program (exit code 0)"),
        (
            "def answer():\n    raise SystemExit('bye')",
            "own.py, line 2: it ended the program (exit code 1)",
        ),
        ("exit(3)", "own.py, line 1: it ended the program (exit code 3)"),
    ],
)
def test_a_file_that_ends_the_program(tmp_path: Path, text: str, wrong: str) -> None:
    assert written(tmp_path, text, calls) == wrong


TABLE = np.array([[1.0, 2.0], [3.0, 4.0]])


def doubles(own: Any) -> None:
    """Twice the table"""
    same("twice", own.twice(TABLE), 2 * TABLE)


def doubles_as_a_layer(own: Any) -> None:
    """Twice the table, by a class"""
    same("twice", own.Twice().forward([TABLE]), 2 * TABLE)


def doubles_a_tensor(own: Any) -> None:
    """Twice a tensor, by a layer"""
    same("twice", own.Layer()(mc.Tensor(TABLE.reshape(1, 1, 2, 2))).data[0, 0], 2 * TABLE)


def asks_twice(own: Any) -> None:
    """Twice the table, and once more"""
    twice = own.Twice()
    same("twice", twice.forward([TABLE]), 2 * TABLE)
    twice.again()


@pytest.mark.parametrize(
    ("check", "text", "wrong"),
    [
        (doubles, "def twice(x): return 2 * x", None),
        (
            doubles,
            "def twice(x):\n    x *= 2\n    return x",
            "twice changed its input x at (0, 0): 2, expected 1; 4 of 4 values differ",
        ),
        (
            doubles,
            "def twice(x):\n    x.shape = (4, 1)\n    return 2 * x",
            "twice changed its input x: shape (4, 1), expected (2, 2)",
        ),
        (  # functions of the reader's may do as they like among themselves
            doubles,
            "def add(y, x): y += x\ndef twice(x):\n    y = x.copy()\n    add(y, x)\n    return y",
            None,
        ),
        (
            doubles_as_a_layer,
            "class Twice:\n    def forward(self, xs):\n        xs[0][1] = 0\n        return xs[0]",
            "Twice.forward changed its input xs[0] at (1, 0): 0, expected 3; 2 of 4 values differ",
        ),
        (
            doubles_a_tensor,
            "import minicnn\nclass Layer(minicnn.Layer):\n"
            "    def _forward(self, x):\n        self.save()\n        x *= 2\n        return x",
            "Layer._forward changed its input x at (0, 0, 0, 0): 2, expected 1;",
        ),
        (
            asks_twice,
            "class Twice:\n    def forward(self, xs):\n        self.x = xs[0]\n"
            "        return 2 * self.x\n    def again(self): self.x[0, 1] = 7",
            "something changed the check's TABLE at (0, 1): 7, expected 2; 1 of 4 values differ",
        ),
        (doubles, "def twice(x):\n    x *= 2\n    1 / 0", "own.py, line 3: ZeroDivisionError"),
        (doubles, "def twice(): pass", "TypeError: twice() takes 0 positional arguments but 1"),
    ],
)
def test_what_is_passed_in_must_stay(
    tmp_path: Path, check: Check, text: str, wrong: str | None
) -> None:
    before = TABLE.copy()
    said = written(tmp_path, text, check)
    assert said == wrong if wrong is None else said is not None and said.startswith(wrong)
    np.testing.assert_array_equal(TABLE, before)


def test_print_to_a_file_is_the_readers_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "import sys\ndef answer():\n    print('no', file=sys.stderr)\n    print('yes', 1)\n"
    (tmp_path / "own.py").write_text(text + "    return 1\n", encoding="utf-8")
    (result,) = Exercise("own", "", (calls,)).check(tmp_path)
    assert result.printed == "yes 1\n"
    assert str(result) == "ok  It answers 1\n        printed: yes 1"
    assert capsys.readouterr() == ("", "no\n")


def test_a_file_that_cannot_be_read_is_said_once(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text("def answer(:", encoding="utf-8")
    (result,) = Exercise("own", "", (calls, adds, unpacks)).check(tmp_path)
    assert result.states == "Python can read the file"
    assert result.wrong == "own.py, line 1: invalid syntax"


def test_run_returns_what_the_reader_can_use(tmp_path: Path) -> None:
    import types

    def fails(own: types.ModuleType) -> None:
        raise ValueError("so")

    assert run(fails, types.ModuleType("own"), tmp_path / "own.py") == "ValueError: so"


def test_start_writes_stubs_and_overwrites_nothing(tmp_path: Path) -> None:
    paths = learn.start("06", tmp_path / "new")
    assert [path.name for path in paths] == [f"{e.name}.py" for e in learn.lesson(6).exercises]
    paths[0].unlink()
    paths[1].write_text("my work", encoding="utf-8")
    with pytest.raises(ValueError, match=r"average_pooling\.py is there already"):
        learn.start(6, tmp_path / "new")
    assert paths[1].read_text(encoding="utf-8") == "my work"
    assert not paths[0].exists()


@pytest.mark.parametrize("number", ["0", "15", "six", "", "-1"])
def test_lessons_that_there_are_not(number: str) -> None:
    with pytest.raises(ValueError, match="they go from 1 to 14"):
        learn.lesson(number)


def test_lessons_without_exercises(tmp_path: Path) -> None:
    for action in (learn.start, learn.check):
        with pytest.raises(ValueError, match="lesson 01, Train one now, has no exercises"):
            action(1, tmp_path)


def test_progress_is_kept_and_never_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "data" / "learn.json"
    monkeypatch.setattr(learn, "progress_file", lambda: file)
    folder = tmp_path / "exercises"
    learn.start(6, folder)
    learn.check(6, folder)
    assert learn.progress() == {}
    assert not file.exists()
    lesson = learn.lesson(6)
    first = lesson.exercises[0]
    shutil.copy(lesson.solution(first), folder)
    learn.check(6, folder)
    assert learn.progress() == {"06": [first.name]}
    shutil.copy(lesson.stub(first), folder)  # undone afterwards, it has held all the same
    learn.check(6, folder)
    assert learn.progress() == {"06": [first.name]}
    file.write_text("{broken", encoding="utf-8")
    assert learn.progress() == {}


def test_where_progress_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert learn.progress_file() == tmp_path / "minicnn" / "learn.json"
    monkeypatch.setenv("XDG_DATA_HOME", "not/absolute")
    assert learn.progress_file() == Path.home() / ".local/share/minicnn/learn.json"
    monkeypatch.setattr("sys.platform", "darwin")
    assert "Application Support" in str(learn.progress_file())
