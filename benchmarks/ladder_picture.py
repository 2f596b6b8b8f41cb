"""The picture of the performance ladder: bars of speed-up, and the rungs under the roofline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from minicnn import plots

from .roofline_limits import Limits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .ladder import Row

WORKS = ("convolution", "max pooling")


def draw(rows: Sequence[Row], limits: Mapping[str, Mapping[int, Limits]]) -> Figure:
    """For each size of the work the speed-ups, and beside them the roofline."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.4 * len(limits)), layout="constrained")
    panels = figure.subplots(len(limits), 2, squeeze=False, width_ratios=[1.15, 1])
    for size, (left, right) in zip(limits, panels, strict=True):
        works = {
            work: [row for row in rows if row.size == size and row.work == work] for work in WORKS
        }
        seconds = {
            work: {f"{row.rung} {row.name}": row.seconds.median for row in mine}
            for work, mine in works.items()
        }
        roofs = {
            f"{threads} thread{'s' if threads > 1 else ''}": (limit.peak, limit.bandwidth)
            for threads, limit in limits[size].items()
        }
        points = {
            work: [(row.intensity, 1e9 * row.gflops, str(row.rung)) for row in mine]
            for work, mine in works.items()
        }
        plots.ladder(seconds, left).set_title(f"{size} arrays: speed-up", loc="left")
        plots.roofline(roofs, points, right).set_title(f"{size} arrays: roofline", loc="left")
    return figure
