"""A row of a table: minicnn and a peer at the same work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .goals import BEST, ROOFLINE, Goal
from .peers import MINICNN, WAYS_OF_PYTORCH
from .roofline import Share
from .timing import Samples, Timing, ratios, summarise


@dataclass(frozen=True)
class Row:
    """Two times, in seconds, and how often minicnn's goes into the peer's."""

    name: str
    peer: str
    threads: int
    mine: Timing
    theirs: Timing
    ratio: Timing
    goal: Goal | None = None
    note: str = ""
    share: Share | None = None

    @property
    def short(self) -> bool:
        """Whether the ratio misses its goal."""
        return self.goal is not None and self.ratio.median < self.goal.at_least

    @property
    def far_from_limit(self) -> bool:
        """Whether the share of the roofline's limit misses its goal."""
        return self.share is not None and self.share.share < ROOFLINE.get(self.name, 0)

    def record(self) -> dict[str, Any]:
        """For JSON; medians come before the quartiles."""
        return {
            "name": self.name,
            "peer": self.peer,
            "threads": self.threads,
            "minicnn_ms": [1e3 * value for value in self.mine],
            "peer_ms": [1e3 * value for value in self.theirs],
            "ratio": list(self.ratio),
            "at_least": self.goal and self.goal.at_least,
            "stretch": self.goal and self.goal.stretch,
            "note": self.note,
            "roofline": self.share and self.share._asdict(),
        }


def rows_of(
    name: str, samples: Samples, threads: int, goal: Callable[[str], Goal | None]
) -> Iterator[Row]:
    """A row for each peer, and one for the fastest way of using PyTorch if several were timed."""

    def row(peer: str, way: str, note: str = "") -> Row:
        times = summarise(samples[MINICNN]), summarise(samples[way])
        ratio = ratios(samples[way], samples[MINICNN])
        return Row(name, peer, threads, *times, ratio, goal(peer), note)

    for peer in samples:
        if peer != MINICNN:
            yield row(peer, peer)
    ways = [way for way in WAYS_OF_PYTORCH if way in samples]
    if len(ways) > 1:
        best = min(ways, key=lambda way: ratios(samples[way], samples[MINICNN]).median)
        yield row(BEST, best, note=best)
