"""The command lines, and the guard on made-up ratios."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import baseline
from benchmarks.compare import peers_here, tasks
from benchmarks.peers import COMPILED, JAX, MINICNN, PEERS
from benchmarks.settings import Settings


def settings(*arguments: str) -> Settings:
    return command.settings_of(command.parser().parse_args(arguments))


def parts(*arguments: str) -> list[str]:
    return command.parts_of(command.parser().parse_args(arguments))


def test_the_main_tables_are_measured_unless_parts_are_named() -> None:
    assert parts() == list(command.MAIN)
    assert parts("memory", "scaling") == ["memory", "scaling"]
    assert parts("--levels") == ["levels"]
    assert set(command.MAIN) <= set(command.PARTS)


def test_a_quick_run_is_on_one_thread() -> None:
    quick = settings("--quick")
    assert quick.threads == (1,) and quick.repetitions == 5 and quick.quick
    assert settings("--threads", "1", "2").threads == (1, 2)
    assert settings().repetitions == 15


def test_only_chooses_rows() -> None:
    assert settings().wanted("train toy")
    chosen = settings("--only", "toy", "VGG")
    assert chosen.wanted("train small VGG") and not chosen.wanted("train LeNet-5")


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["--threads", "0"], ["--level", "v9"], ["--repetitions", "x"]]
)
def test_what_cannot_be_is_refused(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main([*arguments, "--out", str(tmp_path / "out")])
    assert "error" in capsys.readouterr().err


def test_a_quick_run_leaves_out_what_compiles() -> None:
    quick = peers_here(threads=1, quick=True)
    assert quick[0] == MINICNN and not {COMPILED, JAX} & set(quick)
    assert JAX not in peers_here(threads=2, quick=False)


def test_a_run_without_rows_writes_its_results(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert command.main(["nets", "--only", "no such row", "--out", str(out)]) == 0
    result = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert result["nets"] == [] and result["machine"]["versions"]


def test_the_guard_names_what_fell_and_only_that(capsys: pytest.CaptureFixture[str]) -> None:
    before = {"fell": 2.0, "fell far": 4.0, "wavered": 2.0, "rose": 1.0}
    now = {"fell": 1.69, "fell far": 1.0, "wavered": 1.71, "rose": 3.0}
    assert [fall.name for fall in baseline.fallen(before, now)] == ["fell far", "fell"]
    assert baseline.verdict(before, now) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "fell by 75%: fell far, from 4.00 to 1.00",
        "fell by 16%: fell, from 2.00 to 1.69",
    ]


def test_the_guard_is_content_with_what_stayed(capsys: pytest.CaptureFixture[str]) -> None:
    assert baseline.verdict({"a": 2.0}, {"a": 1.9, "new": 0.1}) == 0
    assert "not in the baseline yet: new" in capsys.readouterr().out


def test_the_guard_misses_what_is_measured_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert baseline.verdict({"a": 2.0, "b": 2.0}, {"a": 2.0}) == 1
    assert "measured no more: b" in capsys.readouterr().out


def guard(monkeypatch: pytest.MonkeyPatch, *runs: dict[str, float]) -> list[list[str]]:
    """Let the guard measure ``runs``, one after the other; gives what it asks for in each."""
    asked: list[list[str]] = []
    coming = iter(runs)

    def measure(wanted: object, repetitions: int) -> dict[str, float]:
        found = next(coming)
        asked.append([name for name in found if wanted(name)])  # type: ignore[operator]
        return found

    monkeypatch.setattr(baseline, "measure", measure)
    monkeypatch.setitem(PEERS, "PyTorch", PEERS[MINICNN])  # installed, wherever this runs
    return asked


def test_what_fell_is_measured_once_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = str(tmp_path / "baseline.json")
    monkeypatch.setattr(baseline, "described", dict)
    ratios = {"a": 2.0, "b": 2.0}
    guard(monkeypatch, ratios)
    assert baseline.main(["--file", file]) == 2  # none yet
    assert baseline.main(["--update", "--file", file]) == 0
    asked = guard(monkeypatch, {"a": 1.0, "b": 2.0}, {"a": 1.9})
    assert baseline.main(["--file", file]) == 0
    assert asked == [["a", "b"], ["a"]]
    guard(monkeypatch, {"a": 1.0, "b": 2.0}, {"a": 1.1})
    assert baseline.main(["--file", file]) == 1


def test_the_baseline_holds_the_rows_of_the_guard() -> None:
    names = {task.name for task in tasks()} | set(baseline.OPERATORS)
    levels = baseline.read(baseline.FILE)
    assert levels
    for level in levels.values():
        assert set(level["ratios"]) == names
