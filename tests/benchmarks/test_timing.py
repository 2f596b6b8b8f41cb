"""What is done with times; the times here are made up."""

from __future__ import annotations

import time

import pytest

from benchmarks.goals import BEST, Goal
from benchmarks.peers import CHANNELS_LAST, MINICNN
from benchmarks.rows import rows_of
from benchmarks.timing import (
    SHORTEST,
    Timing,
    calls_per_sample,
    ratios,
    sample,
    summarise,
    take_turns,
)


class Clock:
    """A timer of made-up seconds, which notes how often it was asked for how many calls."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.asked = seconds, list[int]()

    def __call__(self, calls: int) -> float:
        self.asked.append(calls)
        return self.seconds


def test_short_work_is_repeated_within_a_sample() -> None:
    assert calls_per_sample(Clock(SHORTEST / 10), warm_up=1) == 10
    assert calls_per_sample(Clock(3 * SHORTEST), warm_up=1) == 1


def test_sides_take_turns() -> None:
    order: list[str] = []

    def timer(name: str) -> float:
        order.append(name)
        return SHORTEST

    timers = {"a": lambda calls: timer("a"), "b": lambda calls: timer("b")}
    samples = take_turns(timers, repetitions=3, warm_up=1)
    assert samples == {"a": [SHORTEST] * 3, "b": [SHORTEST] * 3}
    assert "".join(order[-6:]) == "abbaab"  # each round begins with another


def test_median_and_quartiles() -> None:
    assert summarise([3.0, 1.0, 2.0, 5.0, 4.0]) == Timing(3, 2, 4)
    assert summarise([7.0]) == Timing(7, 7, 7)


def test_ratios_are_taken_round_by_round() -> None:
    slow_round = ratios([2.0, 20.0, 2.0], [1.0, 10.0, 1.0])
    assert slow_round == Timing(2, 2, 2)


def test_pytorch_at_its_best_is_the_fastest_way() -> None:
    samples = {MINICNN: [1.0, 1.0], "PyTorch": [3.0, 3.0], CHANNELS_LAST: [2.0, 2.0]}
    rows = list(rows_of("work", samples, 1, lambda peer: Goal(2.5) if peer == BEST else None))
    assert [row.peer for row in rows] == ["PyTorch", CHANNELS_LAST, BEST]
    best = rows[-1]
    assert best.ratio.median == 2 and best.note == CHANNELS_LAST
    assert best.short and not rows[0].short


def test_a_single_way_of_pytorch_is_not_its_best() -> None:
    rows = list(rows_of("work", {MINICNN: [1.0], "PyTorch": [3.0]}, 1, lambda peer: None))
    assert [row.peer for row in rows] == ["PyTorch"]


@pytest.mark.parametrize("seconds", [SHORTEST / 3, SHORTEST * 3])
def test_records_are_in_milliseconds(seconds: float) -> None:
    (row,) = rows_of("work", {MINICNN: [seconds], "PyTorch": [seconds]}, 2, lambda peer: Goal(1))
    record = row.record()
    assert record["minicnn_ms"] == [1e3 * seconds] * 3
    assert record["ratio"] == [1, 1, 1] and record["at_least"] == 1 and record["threads"] == 2


@pytest.mark.parametrize(("calls", "warm_up", "uncounted"), [(1, 0, 0), (3, 0, 1), (3, 0.05, 2)])
def test_what_warms_a_side_up_is_not_counted(calls: int, warm_up: float, uncounted: int) -> None:
    begun: list[int] = []

    def side() -> None:
        begun.append(len(begun))
        time.sleep(0.03 if len(begun) <= uncounted else 0)

    assert sample(side, calls, warm_up) < 0.01
    assert len(begun) == calls + uncounted
