"""Functions take turns, after one call each that does not count; the machine has a name."""

from __future__ import annotations

import re

from minicnn.learn import machine, medians


def test_they_take_turns() -> None:
    calls: list[str] = []
    times = medians({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3)
    assert "".join(calls) == "ab" + 3 * "ab"
    assert list(times) == ["a", "b"]
    assert all(seconds >= 0 for seconds in times.values())


def test_the_machine_is_named_with_the_day() -> None:
    assert re.fullmatch(r"\S.*, \d+ processors?, \d{4}-\d\d-\d\d", machine())
