"""How fast, and how fast it could be: the performance ladder and the roofline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import describe
from ._style import GRID, NORMAL, SERIES, SMALL, TEXT, axes_or_new, plain_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

MARKERS = "osD^vP<>ph"
HATCHES = ("", "///", "...", "xx")


def ladder(seconds: Mapping[str, Mapping[str, float]], ax: Axes | None = None) -> Axes:
    """How many times faster each rung is than the first, as bars from 1 on, on a log scale.

    Args:
        seconds: For each kind of work the time of each rung by name, the slowest first. Kinds
            stand side by side where they have rungs of the same name.
        ax: Where to draw; None makes a figure with one Axes.

    Raises:
        TypeError: seconds is no mapping of mappings.
        ValueError: there is no rung, or a time is not above 0.
    """
    works = _mappings(seconds, "seconds")
    names = list(dict.fromkeys(name for rungs in works.values() for name in rungs))
    if not names or min(t for rungs in works.values() for t in rungs.values()) <= 0:
        raise ValueError(f"seconds must hold times above 0, got {describe(seconds)}")
    ax = axes_or_new(ax, (6.5, 0.7 + 0.5 * len(names)))
    height = 0.8 / len(works)
    reached = [1.0]
    for k, (work, rungs) in enumerate(works.items()):
        first = next(iter(rungs.values()))
        faster = [first / taken for taken in rungs.values()]
        reached += faster
        places = [names.index(name) + height * (k - (len(works) - 1) / 2) for name in rungs]
        look: dict[str, Any] = {
            "color": SERIES[k % len(SERIES)],
            "hatch": HATCHES[k % len(HATCHES)],
            "edgecolor": "white",
        }
        widths = [times - 1 for times in faster]
        bars = ax.barh(places, widths, 0.9 * height, 1, label=work, **look)
        words = [times_in_words(times) for times in faster]
        ax.bar_label(bars, words, padding=3, fontsize=SMALL, color=TEXT)
    ax.axvline(1, color=TEXT, linewidth=0.8)
    ax.set_yticks(range(len(names)), names, parse_math=False)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xscale("log")
    ax.set_xlim(min(reached) / 1.6, 4 * max(reached))
    _plain_numbers(ax.xaxis)
    plain_axes(ax)
    ax.set_xlabel(f"times faster than {names[0]}", fontsize=NORMAL, color=TEXT)
    if len(works) > 1:
        ax.legend(loc="upper right", frameon=False, fontsize=SMALL, labelcolor=TEXT)
    return ax


def roofline(
    roofs: Mapping[str, tuple[float, float]],
    points: Mapping[str, Sequence[tuple[float, float] | tuple[float, float, str]]],
    ax: Axes | None = None,
) -> Axes:
    """Operations a second over operations a byte: the machine's limits as lines, work as points.

    min(peak, intensity × bandwidth): a slope that ends in a flat roof (Williams, Waterman &
    Patterson, "Roofline", 2009).

    Args:
        roofs: For each name (peak, bandwidth): operations and bytes a second.
        points: For each kind of work its points (intensity, rate): operations a byte, operations a
            second; and a few letters to write beside it, if there is a third entry.
        ax: Where to draw; None makes a figure with one Axes.

    Raises:
        TypeError: roofs or points is no mapping.
        ValueError: there is no roof.
    """
    if not isinstance(roofs, Mapping) or not isinstance(points, Mapping):
        raise TypeError("roofs and points must be mappings by name")
    if not roofs:
        raise ValueError("roofs must hold at least one (peak, bandwidth), got none")
    ax = axes_or_new(ax, (6.5, 4.2))
    places = [point[0] for series in points.values() for point in series]
    intensities = np.geomspace(min([0.05, *places]) / 2, max([200.0, *places]) * 2, 300)
    for number, (name, (peak, bandwidth)) in enumerate(roofs.items()):
        label = f"{name}: {peak / 1e9:.0f} GFLOP/s, {bandwidth / 1e9:.3g} GB/s"
        limit = np.minimum(peak, intensities * bandwidth) / 1e9
        line = ("-", "--", "-.", ":")[number % 4]
        ax.plot(intensities, limit, line, color=TEXT, linewidth=1.2, label=label)
    for number, (name, series) in enumerate(points.items()):
        xs, ys = [point[0] for point in series], [point[1] / 1e9 for point in series]
        colour, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
        ax.plot(xs, ys, marker, color=colour, markersize=5.5, label=name)
        for n, point in enumerate(series):
            if len(point) == 3:  # left and right in turn, for neighbours may be close
                ax.annotate(
                    point[2],
                    (xs[n], ys[n]),
                    xytext=(8 if n % 2 else -8, 0),
                    textcoords="offset points",
                    ha="left" if n % 2 else "right",
                    va="center",
                    fontsize=SMALL,
                    color=TEXT,
                )
    ax.set(xscale="log", yscale="log")
    _plain_numbers(ax.xaxis)
    _plain_numbers(ax.yaxis)
    plain_axes(ax)
    ax.grid(color=GRID, linewidth=0.6)
    ax.set_xlabel("operations for each byte that must be moved", fontsize=NORMAL, color=TEXT)
    ax.set_ylabel("billion operations a second", fontsize=NORMAL, color=TEXT)
    ax.legend(loc="best", frameon=False, fontsize=SMALL, labelcolor=TEXT)
    return ax


def times_in_words(times: float) -> str:
    """0.086, 3.6, 126, 4,237."""
    return f"{times:,.0f}" if times >= 100 else f"{times:.2g}"


def _mappings(value: Any, name: str) -> dict[str, Mapping[str, float]]:
    inner = list(value.values()) if isinstance(value, Mapping) else [value]
    if not all(isinstance(each, Mapping) for each in inner):
        raise TypeError(
            f"{name} must be a mapping of mappings: seconds by rung, by kind of work; "
            f"got {describe(value)}"
        )
    return dict(value)


def _plain_numbers(axis: Axis) -> None:
    """0.01, 1, 100 at the ticks, in place of powers of ten; and none between them."""
    axis.set_major_formatter(lambda value, _: f"{value:,g}")
    axis.set_minor_formatter("")
