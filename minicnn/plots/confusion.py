"""The confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError
from ._style import GRID, NORMAL, SMALL, TEXT, axes_or_new, plain_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def confusion_matrix(
    matrix: npt.ArrayLike, classes: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """A table of what was taken for what: rows are true classes, columns predicted ones.

    Cells are shaded by their share of their row, on a root scale that lets rare mistakes show, and
    hold their counts (up to 30 classes; zeros are left out).

    Args:
        matrix: K×K counts, as `minicnn.metrics.confusion_matrix` gives them.
        classes: K names; None numbers them.
        ax: Where to draw; None makes a figure with one Axes.

    Raises:
        ShapeError: the matrix is not square, or there are not K names.
        ImportError: matplotlib is not installed.
    """
    counts = np.asarray(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.size == 0:
        raise ShapeError(f"matrix must have shape (K, K) with K of at least 1, got {counts.shape}")
    K = len(counts)
    names = [str(k) for k in range(K)] if classes is None else [str(name) for name in classes]
    if len(names) != K:
        raise ShapeError(f"classes must hold {K} names, one a row of matrix, got {len(names)}")
    side = min(max(2.2 + 0.42 * K, 3.4), 14.0)
    ax = axes_or_new(ax, (side + 0.8, side))
    from matplotlib.colors import PowerNorm
    from matplotlib.ticker import PercentFormatter

    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = ax.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
    beside = ax.inset_axes((1.03, 0, min(0.04, 0.4 / K), 1))
    bar = ax.figure.colorbar(image, cax=beside, ticks=[0, 0.01, 0.1, 0.5, 1])
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    bar.set_label("share of the true class", fontsize=SMALL, color=TEXT)
    bar.ax.tick_params(labelsize=SMALL, colors=TEXT, length=2)
    bar.outline.set_visible(False)
    plain_axes(ax, frame=False)
    _name_classes(ax, names)
    if K <= 30:
        _write_counts(ax, counts, image.to_rgba(shares))
        lines = np.arange(0.5, K - 1)
        ax.vlines(lines, -0.5, K - 0.5, color=GRID, linewidth=0.6)
        ax.hlines(lines, -0.5, K - 0.5, color=GRID, linewidth=0.6)
    total = int(counts.sum())
    if total:
        right = 100 * np.trace(counts) / total
        title = f"{right:.2f} % of {total:,} right"
        ax.set_title(title, fontsize=NORMAL, color=TEXT, loc="left")
    return ax


def _name_classes(ax: Axes, names: list[str]) -> None:
    ax.set_xlabel("predicted", fontsize=NORMAL, color=TEXT)
    ax.set_ylabel("true", fontsize=NORMAL, color=TEXT)
    every = range(0, len(names), max(1, math.ceil(len(names) / 60)))
    labels = _short_names(names)
    shown = [labels[k] for k in every]
    slanted = max(map(len, shown)) > 3
    turn: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    # parse_math: a class may be called "$\\alpha$", or have one dollar in its name.
    ax.set_xticks(list(every), shown, parse_math=False, **(turn if slanted else {}))
    ax.set_yticks(list(every), shown, parse_math=False)


def _short_names(names: list[str]) -> list[str]:
    """At most 20 letters each, and still all different; numbers for what the font cannot show."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    known = get_font(findfont(FontProperties())).get_charmap()
    short = []
    for k, name in enumerate(names):
        if any(ord(letter) not in known for letter in name):
            name = f"class {k}"
        short.append(name if len(name) <= 20 else f"{name[:12]}…{name[-7:]}")
    if len(set(short)) < len(short):
        short = [f"{name[:14]} [{k}]" for k, name in enumerate(short)]
    return short


def _write_counts(ax: Axes, counts: Any, colours: Any) -> None:
    lightness = colours[..., :3] @ [0.299, 0.587, 0.114]
    longest = len(str(int(counts.max())))
    cell = 72 * min(0.42, 11 / len(counts))  # points, as `confusion_matrix` sizes the picture
    size = min(NORMAL, 0.9 * cell / (0.6 * longest))  # a digit is 0.6 of its height wide
    for row, column in zip(*np.nonzero(counts), strict=True):
        ax.text(
            column,
            row,
            str(int(counts[row, column])),
            ha="center",
            va="center",
            fontsize=size,
            color="white" if lightness[row, column] < 0.5 else "#111111",
        )
