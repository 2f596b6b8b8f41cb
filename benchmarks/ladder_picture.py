"""The picture of the performance ladder: bars of speed-up, and the rungs under the roofline.

Every function draws into the Axes it is given, and returns it; none touches pyplot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .roofline_limits import Limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from .ladder import Row

TEXT = "#333333"
GRID = "#DDDDDD"
SMALL = 8  # points


class Style(NamedTuple):
    """How one kind of work looks: colour, and what tells it apart in black-and-white print."""

    color: str
    marker: str
    hatch: str


# Okabe & Ito, "Color universal design", 2008: blue and orange, of different lightness too.
STYLES = {
    "convolution": Style("#0072B2", "o", ""),
    "max pooling": Style("#E69F00", "s", "///"),
}


def draw(rows: Sequence[Row], limits: Mapping[str, Mapping[int, Limits]]) -> Figure:
    """For each size of the work the speed-ups, and beside them the roofline."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.4 * len(limits)), layout="constrained")
    panels = figure.subplots(len(limits), 2, squeeze=False, width_ratios=[1.15, 1])
    for size, (left, right) in zip(limits, panels, strict=True):
        chosen = [row for row in rows if row.size == size]
        draw_speedups(chosen, left).set_title(f"{size} arrays: speed-up", loc="left")
        draw_roofline(chosen, limits[size], right).set_title(f"{size} arrays: roofline", loc="left")
    return figure


def draw_speedups(rows: Sequence[Row], ax: Axes) -> Axes:
    """Bars from 1 on: how many times faster than the first rung, on a logarithmic axis."""
    names = {row.rung: row.name for row in rows}
    for k, (work, style) in enumerate(STYLES.items()):
        mine = [row for row in rows if row.work == work]
        look: dict[str, Any] = {"color": style.color, "hatch": style.hatch, "edgecolor": "white"}
        places = [row.rung + 0.4 * k - 0.2 for row in mine]
        bars = ax.barh(places, [row.faster - 1 for row in mine], 0.36, 1, label=work, **look)
        ax.bar_label(bars, [in_words(row.faster) for row in mine], padding=3, fontsize=SMALL)
    ax.axvline(1, color=TEXT, linewidth=0.8)
    ax.set_yticks(list(names), [f"{rung} {name}" for rung, name in names.items()])
    ax.invert_yaxis()
    ax.set_xscale("log")
    plain_numbers(ax.xaxis)
    ax.set_xlim(min(row.faster for row in rows) / 3, 5 * max(row.faster for row in rows))
    ax.set_xlabel(f"times faster than rung {min(names)}")
    ax.legend(loc="upper right", frameon=False, fontsize=SMALL)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def in_words(times: float) -> str:
    """0.086, 3.6, 126, 4,237."""
    return f"{times:,.0f}" if times >= 100 else f"{times:.2g}"


def draw_roofline(rows: Sequence[Row], limits: Mapping[int, Limits], ax: Axes) -> Axes:
    """Operations a second over operations a byte: the limits as lines, the rungs as dots."""
    intensities = np.geomspace(0.02, 1000, 300)
    for (threads, limit), line in zip(limits.items(), ("-", "--"), strict=False):
        plural = "s" if threads > 1 else ""
        text = f"{threads} thread{plural}: {limit.peak / 1e9:.0f} GFLOP/s, "
        text += f"{limit.bandwidth / 1e9:.0f} GB/s"
        roofs = [limit.roof(intensity) / 1e9 for intensity in intensities]
        ax.plot(intensities, roofs, line, color=TEXT, linewidth=1.2, label=text)
    for work, style in STYLES.items():
        mine = [row for row in rows if row.work == work]
        dots = [row.intensity for row in mine], [row.gflops for row in mine]
        ax.plot(*dots, style.marker, color=style.color, label=work)
        for row in mine:
            number_beside(row, ax)
    ax.set(xscale="log", yscale="log")
    plain_numbers(ax.xaxis)
    plain_numbers(ax.yaxis)
    ax.grid(color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.set_xlabel("operations for each byte that must be moved")
    ax.set_ylabel("billion operations a second")
    ax.legend(loc="lower right", frameon=False, fontsize=SMALL)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def number_beside(row: Row, ax: Axes) -> None:
    """The number of a rung beside its dot: left and right in turn, for neighbours may be close."""
    ax.annotate(
        str(row.rung),
        (row.intensity, row.gflops),
        xytext=(9 if row.rung % 2 else -9, 0),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=SMALL,
    )


def plain_numbers(axis: Axis) -> None:
    """0.01, 1, 100 at the ticks, in place of powers of ten; and none between them."""
    axis.set_major_formatter(lambda value, _: f"{value:,g}")
    axis.set_minor_formatter("")
