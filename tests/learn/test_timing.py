"""Functions take turns, after one call each that does not count."""

from __future__ import annotations

from minicnn.learn import medians


def test_they_take_turns() -> None:
    calls: list[str] = []
    times = medians({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3)
    assert "".join(calls) == "ab" + 3 * "ab"
    assert list(times) == ["a", "b"]
    assert all(seconds >= 0 for seconds in times.values())
