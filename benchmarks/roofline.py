"""How fast this machine can be at all, and how near to it an operator comes.

An operator that does ``operations`` on numbers and moves ``bytes`` takes at least the time of the
slower of the two: operations over the peak rate, bytes over the bandwidth. As a rate, the limit is
min(peak, intensity × bandwidth), intensity being operations per byte: a slope that ends in a flat
roof (Williams, Waterman, Patterson: "Roofline", 2009).

The peak is the best rate of a product of matrices that stay in cache, minicnn's or PyTorch's: what
fused multiply-adds reach in practice. The bandwidth is that of a copy that moves as many bytes as
the operator, so that what fits a cache is held against that cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from minicnn import kernels

from .nets import Array
from .operators import numbers
from .timing import Side, calls_per_sample, sample

SIZES = (96, 192, 384, 768)  # of square matrices; the best of them is the peak
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

    def __init__(self, threads: int, torch: Any = None, repetitions: int = 7) -> None:
        self.threads, self.torch, self.repetitions = threads, torch, repetitions
        self._copies: dict[int, float] = {}

    @cached_property
    def peak(self) -> float:
        """Operations a second, a multiplication and an addition being two."""
        return max(2.0 * n**3 / self._best(side) for n, side in self._products())

    def bandwidth(self, moved: float) -> float:
        """Bytes a second of a copy that moves about so many: reads half of them, writes half."""
        size = max(int(moved), SMALLEST)
        if size not in self._copies:
            self._copies[size] = self._copy_bandwidth(size)
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

    def _products(self) -> Iterator[tuple[int, Side]]:
        for n in SIZES:
            a, b = numbers(n, n), numbers(n, n)
            out = np.empty_like(a)
            rest = out, False, False, False, self.threads
            yield n, partial(kernels.engine.matmul, a, b, *rest)
            if self.torch is not None:
                ta, tb, tout = (self.torch.from_numpy(array) for array in (a, b, out))
                yield n, partial(self.torch.mm, ta, tb, out=tout)

    def _copy_bandwidth(self, size: int) -> float:
        """Each thread copies its own part, again and again."""
        part = max(size // self.threads // 8, 1)  # half is read, half written; 4 bytes a number
        pairs = [(on_a_page(part), on_a_page(part)) for _ in range(self.threads)]
        times = max(1, 2**22 // size)

        def copy(pair: tuple[Any, Any]) -> None:
            source, target = pair
            for _ in range(times):
                np.copyto(target, source)

        if self.threads == 1:
            seconds = self._best(lambda: copy(pairs[0]))
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                seconds = self._best(lambda: list(pool.map(copy, pairs)))
        return times * 8.0 * part * self.threads / seconds

    def _best(self, side: Side) -> float:
        """The shortest time: a limit is what the machine does when nothing disturbs it."""
        calls = calls_per_sample(lambda calls: sample(side, calls), warm_up=2)
        return min(sample(side, calls) for _ in range(self.repetitions))


def on_a_page(count: int) -> Array:
    """Numbers that begin where a page does: elsewhere some processors copy ten times slower."""
    page = 4096
    block = np.ones(count + page // 4, np.float32)
    start = -block.ctypes.data % page // 4
    return block[start : start + count]
