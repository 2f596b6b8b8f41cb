"""How values are spread: activations and gradients layer by layer; learning rates step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import describe, finite_float, positive_int
from ._style import (
    GRID,
    LONGER,
    NORMAL,
    SERIES,
    SMALL,
    TEXT,
    add_legend,
    axes_or_new,
    plain_axes,
    short_names,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LARGEST = 1e300  # what is larger is drawn there: matplotlib cannot
SMALLEST = 1e-290


def histograms(
    values: Mapping[str, npt.ArrayLike],
    ax: Axes | None = None,
    *,
    log: bool = False,
    bins: int = 60,
    title: str = "",
) -> Axes:
    """A histogram for each layer, one above the other on one scale; beside it how many are zero.

    All rows are as high as their highest bar. Zeros, and what is not finite, are counted beside the
    row and left out of it.

    Args:
        values: Arrays by layer, such as `explain.activations` and `explain.gradients` give.
        ax: Where to draw; None makes a figure with one Axes.
        log: The magnitudes, on a logarithmic scale: tells vanishing gradients from healthy ones.
        bins: Bars a row.
        title: Above the rows.

    Raises:
        TypeError: values is no mapping.
        ValueError: it is empty.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"values must be a mapping of arrays by layer, got {describe(values)}")
    if not values:
        raise ValueError("values must hold at least one layer, got none")
    arrays = {str(name): np.asarray(array, np.float64).ravel() for name, array in values.items()}
    kept = {name: array[np.isfinite(array) & (array != 0)] for name, array in arrays.items()}
    if log:
        kept = {name: np.log10(np.abs(array)) for name, array in kept.items()}
    kept = {name: np.clip(array, -LARGEST, LARGEST) for name, array in kept.items()}
    edges = np.linspace(*_range(list(kept.values()), log), positive_int(bins, "bins") + 1)
    ax = axes_or_new(ax, (6.0, 0.5 * len(arrays) + 0.9))
    from matplotlib.ticker import MaxNLocator

    from ._fit import Fitter

    for row, (name, array) in enumerate(arrays.items()):
        heights, _ = np.histogram(np.clip(kept[name], edges[0], edges[-1]), edges)
        tops = row - 0.85 * heights / max(heights.max(), 1)
        ax.fill_between(edges, row, [*tops, tops[-1]], step="post", color=SERIES[0], linewidth=0)
        ax.axhline(row, color=GRID, linewidth=0.8, zorder=0)
        ax.annotate(
            _beside(array),
            (1.02, row - 0.1),
            xycoords=ax.get_yaxis_transform(),
            fontsize=SMALL,
            color=TEXT,
        )
    ax.set(xlim=(edges[0], edges[-1]), ylim=(len(arrays) - 0.9, -1.05))
    ax.set_yticks(range(len(arrays)), short_names(list(arrays), "layer", LONGER), parse_math=False)
    plain_axes(ax)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    if log:
        ax.xaxis.set_major_formatter(lambda exponent, _: f"$10^{{{exponent:g}}}$")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlabel("magnitude" if log else "value", fontsize=NORMAL, color=TEXT)
    Fitter(ax).title(title)
    return ax


def _range(arrays: list[npt.NDArray[np.float64]], log: bool) -> tuple[float, float]:
    """From where to where: all but the outermost half per cent of any layer's values."""
    found = [np.quantile(array, [0.005, 0.995]) for array in arrays if array.size]
    if not found:
        return -1.0, 1.0
    low, high = float(np.min(found)), float(np.max(found))
    if not log:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < (1 if log else SMALLEST):  # so that a tick has a place
        return low - 0.5, high + 0.5
    margin = 0.02 * (high - low)
    return low - margin, high + margin


def _beside(array: npt.NDArray[np.float64]) -> str:
    """The share of zeros, and of what is not finite."""
    if array.size == 0:
        return "empty"
    zero, broken = np.mean(array == 0), np.mean(~np.isfinite(array))
    text = f"{100 * zero:.0f} % zero" if zero else ""
    share = f"{100 * broken:.2g}" if 100 * broken < 99.5 else f"{100 * broken:.4g}"
    return f"{text}  {share} % not finite".strip() if broken else text


def learning_rates(
    schedules: Mapping[str, Callable[[int], float]], steps: int, ax: Axes | None = None
) -> Axes:
    """The learning rate of each step, for one schedule or several.

    Args:
        schedules: Functions of the step, by name: those of `minicnn.schedules`, or your own.
        steps: How many steps, counted from 0.
        ax: Where to draw; None makes a figure with one Axes.

    Raises:
        TypeError: schedules is no mapping, or a rate is no number.
        ValueError: it is empty, or a rate is below 0 or not finite.
    """
    if not isinstance(schedules, Mapping):
        raise TypeError(f"schedules must be a mapping by name, got {describe(schedules)}")
    if not schedules:
        raise ValueError("schedules must hold at least one, got none")
    places = np.unique(np.linspace(0, positive_int(steps, "steps") - 1, 1000).astype(int))
    rates = {
        str(name): [
            finite_float(schedule(int(step)), f"schedules[{name!r}] at step {step}", 0)
            for step in places
        ]
        for name, schedule in schedules.items()
    }
    ax = axes_or_new(ax, (5.5, 3.2))
    from ._fit import Fitter

    lines: list[Any] = []
    for number, (name, values) in enumerate(rates.items()):
        look: dict[str, Any] = {
            "color": SERIES[number % len(SERIES)],
            "linestyle": ("-", "--", "-.", ":")[number % 4],
        }
        lines += ax.plot(places, values, linewidth=1.6, label=name, **look)
    plain_axes(ax)
    ax.grid(axis="y", color=GRID, linewidth=0.8)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("step", fontsize=NORMAL, color=TEXT)
    ax.set_ylabel("learning rate", fontsize=NORMAL, color=TEXT)
    fitter = Fitter(ax)
    fitter.title("")
    fitter.legend(add_legend(ax, lines, short_names(list(rates), "schedule")))
    return ax
