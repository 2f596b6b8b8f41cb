"""How fast this machine can be at all, and how near to it an operator comes.

An operator that does ``operations`` on numbers and moves ``bytes`` takes at least the time of the
slower of the two: operations over the peak rate, bytes over the bandwidth. As a rate, the limit is
min(peak, intensity × bandwidth), intensity being operations per byte: a slope that ends in a flat
roof (Williams, Waterman, Patterson: "Roofline", 2009).

The peak is that of multiply-adds on sums in registers. The bandwidth is that of a copy that moves
as many bytes as the operator, so that what fits a cache is held against that cache.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

from .roofline_limits import measured_bandwidth, measured_peak

SMALLEST = 2**14  # bytes; a copy of less measures the call
L2, MEMORY = 2**18, 2**29  # bytes moved by a copy that stays in a second-level cache, or never does


class Share(NamedTuple):
    """An operator under the roof."""

    intensity: float  # operations a byte
    gflops: float
    limit: float  # GFLOP/s that the roof allows there
    share: float  # of the limit, from 0 to about 1


class Roofline:
    """The machine's limits with so many threads; each is measured when it is first asked for."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._copies: dict[int, float] = {}

    @cached_property
    def peak(self) -> float:
        """Operations a second, a multiplication and an addition being two."""
        return measured_peak(self.threads)

    def bandwidth(self, moved: float) -> float:
        """Bytes a second of a copy that moves about so many: reads half of them, writes half."""
        size = max(int(moved), SMALLEST)
        if size not in self._copies:
            self._copies[size] = measured_bandwidth(self.threads, size // 2)
        return self._copies[size]

    def share(self, operations: float, moved: float, seconds: float) -> Share:
        """Where an operator stands that took so many seconds."""
        intensity = operations / moved
        limit = min(self.peak, intensity * self.bandwidth(moved))
        reached = operations / seconds
        return Share(intensity, reached / 1e9, limit / 1e9, reached / limit)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "threads": self.threads,
            "peak_gflops": self.peak / 1e9,
            "copy_l2_gb_s": self.bandwidth(L2) / 1e9,
            "copy_memory_gb_s": self.bandwidth(MEMORY) / 1e9,
        }
