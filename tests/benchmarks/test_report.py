"""Tables, pictures and the roofline, of made-up numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import accuracy, charts, levels, loading, overhead, scaling
from benchmarks.accuracy import Result
from benchmarks.goals import Goal
from benchmarks.report import header, line, machine, show, summary
from benchmarks.roofline import Roofline
from benchmarks.rows import Row
from benchmarks.settings import Settings
from benchmarks.timing import Timing


def row(name: str, ratio: float, goal: Goal | None = None, threads: int = 1) -> Row:
    timing = Timing(0.002, 0.001, 0.003)
    times = timing, Timing(0.002 * ratio, 0.001, 0.009)
    return Row(name, "PyTorch", threads, *times, Timing(ratio, ratio - 0.1, ratio + 0.1), goal)


class Machine(Roofline):
    """10 GFLOP/s, 2 GB/s."""

    peak = 10e9

    def bandwidth(self, moved: float) -> float:
        return 2e9


def test_a_line_tells_times_ratio_and_goal() -> None:
    text = line(row("train toy", 2.5, Goal(3, 4)), first=True)
    cells = "train toy PyTorch 2.000 5.000 2.50 (2.40–2.60) 3 short"
    assert " ".join(text.split()) == cells
    assert "short" not in line(row("train toy", 3.5, Goal(3, 4)), first=True)
    assert "train toy" not in line(row("train toy", 3.5), first=False)


def test_columns_stand_below_their_heads(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row("train toy", 12.5, Goal(3)), row("train toy", 0.5), row("infer toy, batch 64", 1)]
    assert show(rows, threads=2) == rows
    _, head, *lines = capsys.readouterr().out.splitlines()
    assert head.startswith("threads: 2")
    for text in lines:
        assert text[: head.index("ratio") + 5].endswith(("12.50", "0.50", "1.00"))
    assert [text[:9].strip() for text in lines] == ["train toy", "", "infer toy"]
    assert header(1, shares=True).endswith("of limit")


def test_the_summary_names_what_is_short_the_worst_first() -> None:
    rows = [row("a", 2.9, Goal(3, 4)), row("b", 0.5, Goal(1)), row("c", 5, Goal(3, 4))]
    rows.append(row("d", 0.1))
    first, *short = summary(rows).strip().splitlines()
    assert first == "1 of 3 goals reached, 1 stretch goals"
    assert [text.split()[1] for text in short] == ["b", "a"]


def test_the_roof_is_the_lower_of_peak_and_slope() -> None:
    machine = Machine(threads=1)
    memory_bound = machine.share(operations=1e6, moved=4e6, seconds=4e-3)
    assert memory_bound == pytest.approx((0.25, 0.25, 0.5, 0.5))
    compute_bound = machine.share(operations=1e9, moved=1e6, seconds=0.2)
    assert compute_bound == pytest.approx((1000, 5, 10, 0.5))


def test_a_share_that_is_asked_for() -> None:
    share = Machine(threads=1).share(1e6, 4e6, 4e-3)  # half of the limit
    relu = replace(row("ReLU forward", 2, Goal(1)), share=share)
    assert relu.far_from_limit and "below 80% of the limit" in line(relu, first=True)
    assert not replace(row("BatchNorm2D forward", 2), share=share).far_from_limit
    assert "0 of 1 goals" in summary([relu])
    assert json.loads(json.dumps(relu.record()))["roofline"]["share"] == pytest.approx(0.5)


def test_pictures_are_drawn(tmp_path: Path) -> None:
    share = Machine(threads=1).share(1e6, 4e6, 4e-3)
    rows = [row("train toy", 2, Goal(3)), row("train toy", 0.5, threads=2)]
    charts.ratios(rows, tmp_path / "ratios.png")
    limit = {"threads": 1, "peak_gflops": 10, "copy_memory_gb_s": 2, "copy_l2_gb_s": 4}
    under = [replace(row(name, 2), share=share) for name in ("ReLU forward", "toy conv1 dw")]
    charts.roofline(under, [limit], tmp_path / "roofline.png")
    points = [
        {"series": "batch size", "value": v, "task": "train", "batch": v, "ms": {"minicnn": 1.0}}
        for v in (1, 8)
    ]
    charts.scaling(points, tmp_path / "scaling.png")
    charts.grouped({"a": {"v2": 1.0, "v3": 2.0}}, "gain", tmp_path / "grouped.png")
    for picture in ("ratios", "roofline", "scaling", "grouped"):
        assert (tmp_path / f"{picture}.png").read_bytes().startswith(b"\x89PNG")


def test_scaling_says_what_two_threads_gain() -> None:
    def record(threads: int, ms: float) -> dict[str, object]:
        own = {"series": "threads", "value": threads, "task": "train animal", "threads": threads}
        return {**own, "batch": 4, "ms": {"minicnn": ms, "PyTorch": ms}}

    one = record(1, 10)
    assert "short" not in scaling.gain(record(2, 5), [one])
    assert scaling.gain(record(2, 8), [one]).endswith("PyTorch 1.25×  short of 1.7")
    assert scaling.gain(one, []) == ""


def test_a_run_that_does_not_reach_the_target_leaves_no_ratio() -> None:
    reached, late = Result(2.0, [0.97, 0.99]), Result(None, [0.9, 0.91])
    assert accuracy.median([reached, Result(4.0, [0.99]), reached]) == 2
    assert accuracy.median([reached, late]) is None
    medians = {"minicnn": 2.0, "PyTorch, DataLoader": 8.0, "PyTorch, tensors indexed": None}
    first, second = accuracy.verdicts(medians)
    assert "= 4.00" in first and "short" not in first
    assert "no ratio" in second
    assert "short" in next(accuracy.verdicts({**medians, "minicnn": 4.0}))


def test_the_clock_stops_at_the_target() -> None:
    accuracies = iter([0.95, 0.9881, 0.99])
    result = accuracy.until_target(0, lambda number: next(accuracies))
    assert result.accuracies == [0.95, 0.9881] and result.seconds is not None
    assert accuracy.until_target(0, lambda number: 0.5).seconds is None


def test_levels_gain_on_the_lowest() -> None:
    assert levels.gains({"v2": 4.0, "v3": 2.0}) == {"v2": 1, "v3": 2}
    assert levels.available()  # the level in use is one


def test_a_loader_is_timed_over_passes_without_end() -> None:
    passes = loading.Passes(["one", "two", "three"])
    assert passes(7) > 0 and passes(2) > 0


def test_the_overhead_of_a_layer_is_what_its_kernel_leaves(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = {"forward": 40 * 5e-6, "forward and backward": 40 * 11e-6, "a kernel": 40 * 2e-6}

    def take_turns(timers: dict[str, Any], repetitions: int) -> dict[str, list[float]]:
        assert all(timer(1) > 0 for timer in timers.values())
        return {name: [turns[name]] for name in timers}

    monkeypatch.setattr(overhead, "take_turns", take_turns)
    assert overhead.run(Settings((1,), 1, True, (), Path()))["forward"] == pytest.approx(5)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["forward", "5.00", "3.00"]
    assert lines[3].split()[3:5] == ["11.00", "7.00"], lines
    assert lines[3].endswith("short of 3 a pass")


def test_what_was_measured_on_is_told() -> None:
    found = json.loads(json.dumps(machine()))
    assert found["versions"]["minicnn"] and found["kernels"]["engine"]
