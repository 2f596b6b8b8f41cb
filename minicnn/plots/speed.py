"""How fast, and how fast it could be: the performance ladder and the roofline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import describe, finite_float
from ._style import (
    GRID,
    LONGER,
    NORMAL,
    SERIES,
    SMALL,
    TEXT,
    add_legend,
    axes_or_new,
    drawable,
    plain_axes,
    short_names,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

MARKERS = "osD^vP<>ph"
HATCHES = ("", "///", "...", "xx")
PAIR, POINT = "(peak, bandwidth)", "(intensity, rate) or (intensity, rate, letters)"


def ladder(seconds: Mapping[str, Mapping[str, float]], ax: Axes | None = None) -> Axes:
    """How many times faster each rung is than the first, as bars from 1 on, on a log scale.

    Args:
        seconds: For each kind of work the time of each rung by name, the slowest first. Kinds
            stand side by side where they have rungs of the same name.
        ax: Where to draw; None makes a figure with one Axes.

    Raises:
        TypeError: seconds is no mapping of mappings, or a time is no number.
        ValueError: there is no rung, or a time is not finite and above 0.
    """
    works = _mappings(seconds, "seconds")
    rungs = list(dict.fromkeys(name for mine in works.values() for name in mine))
    ax = axes_or_new(ax, (6.5, 0.7 + 0.5 * len(rungs)))
    from ._fit import Fitter

    fitter, reached, bars = Fitter(ax), [1.0], []
    for k, (work, mine) in enumerate(works.items()):
        first = next(iter(mine.values()))
        faster = [first / taken for taken in mine.values()]
        reached += faster
        middle = k - (len(works) - 1) / 2
        places = [rungs.index(name) + 0.8 / len(works) * middle for name in mine]
        bars.append(_bars(ax, places, faster, 0.72 / len(works), k))
        bars[-1].set_label(work)
    ax.axvline(1, color=TEXT, linewidth=0.8)
    names = short_names(rungs, "rung", LONGER)
    ax.set_yticks(range(len(names)), names, parse_math=False)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xscale("log")
    ax.set_xlim(min(reached) / 1.6, 4 * max(reached))
    _plain_numbers(ax.xaxis)
    plain_axes(ax)
    words: dict[str, Any] = {"fontsize": NORMAL, "color": TEXT, "parse_math": False}
    fitter.note(ax.set_xlabel(f"times faster than {names[0]}", **words))
    if len(works) > 1:
        kinds = short_names(list(works), "work")
        fitter.legend(add_legend(ax, bars, kinds, loc="upper right"))
    fitter.title("")
    return ax


def _bars(ax: Axes, places: list[float], faster: list[float], height: float, k: int) -> Any:
    """The bars of one kind of work, with how many times faster beside each."""
    look: dict[str, Any] = {
        "color": SERIES[k % len(SERIES)],
        "hatch": HATCHES[k % len(HATCHES)],
        "edgecolor": "white",
    }
    bars = ax.barh(places, [times - 1 for times in faster], height, 1, **look)
    words = [times_in_words(times) for times in faster]
    ax.bar_label(bars, words, padding=3, fontsize=SMALL, color=TEXT)
    return bars


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
        TypeError: roofs or points is no mapping, or an entry is no number.
        ValueError: there is no roof, an entry has another length, or is not finite and above 0.
    """
    if not isinstance(roofs, Mapping) or not isinstance(points, Mapping):
        raise TypeError("roofs and points must be mappings by name")
    if not roofs:
        raise ValueError("roofs must hold at least one (peak, bandwidth), got none")
    limits = {name: _numbers(roof, f"roofs[{name!r}]", PAIR) for name, roof in roofs.items()}
    works = {
        name: [_numbers(point, f"points[{name!r}][{n}]", POINT) for n, point in enumerate(series)]
        for name, series in points.items()
    }
    ax = axes_or_new(ax, (6.5, 4.2))
    from ._fit import Fitter

    fitter, lines = Fitter(ax), []
    places = [point[0] for series in works.values() for point in series]
    intensities = np.geomspace(min([0.05, *places]) / 2, max([200.0, *places]) * 2, 300)
    for k, (name, (peak, bandwidth)) in enumerate(limits.items()):
        limit = np.minimum(peak, intensities * bandwidth) / 1e9
        line = ("-", "--", "-.", ":")[k % 4]
        lines += ax.plot(intensities, limit, line, color=TEXT, linewidth=1.2, label=name)
    for k, (name, series) in enumerate(works.items()):
        xs, ys = [point[0] for point in series], [point[1] / 1e9 for point in series]
        colour, marker = SERIES[k % len(SERIES)], MARKERS[k % len(MARKERS)]
        lines += ax.plot(xs, ys, marker, color=colour, markersize=5.5, label=name)
        letters = [str(point[2]) if len(point) == 3 else "" for point in points[name]]
        _beside(ax, xs, ys, letters)
    ax.set(xscale="log", yscale="log")
    _plain_numbers(ax.xaxis)
    _plain_numbers(ax.yaxis)
    plain_axes(ax)
    ax.grid(color=GRID, linewidth=0.6)
    words: dict[str, Any] = {"fontsize": NORMAL, "color": TEXT}
    fitter.note(ax.set_xlabel("operations for each byte that must be moved", **words))
    ax.set_ylabel("billion operations a second", **words)
    names = [
        f"{name}: {peak / 1e9:.0f} GFLOP/s, {bandwidth / 1e9:.3g} GB/s"
        for name, (peak, bandwidth) in zip(
            short_names(list(limits), "roof"), limits.values(), strict=True
        )
    ] + short_names(list(works), "work")
    fitter.legend(add_legend(ax, lines, names, loc="best"))
    fitter.title("")
    return ax


def _beside(ax: Axes, xs: list[float], ys: list[float], words: list[str]) -> None:
    """Letters beside points, left and right in turn, for neighbours may be close."""
    look: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": SMALL}
    look |= {"color": TEXT, "parse_math": False}
    for n, (x, y, word) in enumerate(zip(xs, ys, words, strict=True)):
        if word:
            aside: dict[str, Any] = {"xytext": (8 if n % 2 else -8, 0)}
            aside["ha"] = "left" if n % 2 else "right"
            ax.annotate(drawable(word), (x, y), **aside, **look)


def _numbers(entry: Any, name: str, expected: str) -> tuple[float, float]:
    """The first two numbers of an entry, finite and above 0."""
    lengths = (2,) if expected == PAIR else (2, 3)
    if not isinstance(entry, (tuple, list)) or len(entry) not in lengths:
        raise ValueError(f"{name} must be {expected}, got {describe(entry)}")
    words = ("peak", "bandwidth") if expected == PAIR else ("intensity", "rate")
    first, second = (
        finite_float(value, f"the {word} of {name}", above=0)
        for word, value in zip(words, entry[:2], strict=True)
    )
    return first, second


def times_in_words(times: float) -> str:
    """0.086, 3.6, 126, 4,237."""
    return f"{times:,.0f}" if times >= 100 else f"{times:.2g}"


def _mappings(value: Any, name: str) -> dict[str, dict[str, float]]:
    """Seconds by rung, by kind of work: finite, above 0, at least one each."""
    inner = list(value.values()) if isinstance(value, Mapping) else [value]
    if not all(isinstance(each, Mapping) for each in inner):
        raise TypeError(
            f"{name} must be a mapping of mappings: seconds by rung, by kind of work; "
            f"got {describe(value)}"
        )
    if not inner or not all(inner):
        raise ValueError(
            f"{name} must hold times above 0, at least one for each kind of work, got "
            f"{describe(value)}"
        )
    return {
        str(work): {
            str(rung): _time(taken, f"{name}[{work!r}][{rung!r}]") for rung, taken in rungs.items()
        }
        for work, rungs in value.items()
    }


def _time(taken: Any, name: str) -> float:
    try:
        return finite_float(taken, name, above=0)
    except ValueError as error:
        raise ValueError(f"seconds must hold times above 0: {error}") from None


def _plain_numbers(axis: Axis) -> None:
    """0.01, 1, 100 at the ticks, in place of powers of ten; and none between them."""
    axis.set_major_formatter(lambda value, _: f"{value:,g}")
    axis.set_minor_formatter("")
