"""The confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError, describe
from ._style import GRID, NORMAL, SMALL, TEXT, axes_or_new, plain_axes, short_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ._fit import Fitter


def confusion_matrix(
    matrix: npt.ArrayLike, classes: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """A table of what was taken for what: rows are true classes, columns predicted ones.

    Cells are shaded by their share of their row, on a root scale that lets rare mistakes show, and
    hold their counts (up to 30 classes; zeros are left out). In small Axes counts and names are
    small, and counts that could not be read, or every other name, are left out.

    Args:
        matrix: K×K counts, as `minicnn.metrics.confusion_matrix` gives them.
        classes: K names; None numbers them.
        ax: Where to draw; None makes a figure with one Axes.

    Raises:
        ShapeError: the matrix is not square, or there are not K names.
        TypeError: it holds no numbers.
        ValueError: an entry is no whole number of at least 0.
        ImportError: matplotlib is not installed.
    """
    counts = _counts(matrix)
    K = len(counts)
    if classes is not None and len(classes) != K:
        raise ShapeError(f"classes must hold {K} names, one a row of matrix, got {len(classes)}")
    names = short_names(range(K) if classes is None else classes)
    side = min(max(2.2 + 0.42 * K, 3.4), 14.0)
    given, ax = ax is not None, axes_or_new(ax, (side + 0.8, side))
    from matplotlib.colors import PowerNorm

    from ._fit import Fitter

    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = ax.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
    _colour_bar(ax, image, K, given)
    plain_axes(ax, frame=False)
    fitter = Fitter(ax)
    _name_classes(fitter, names)
    if K <= 30:
        _write_counts(fitter, counts, image.to_rgba(shares))
        lines = np.arange(0.5, K - 1)
        ax.vlines(lines, -0.5, K - 0.5, color=GRID, linewidth=0.6)
        ax.hlines(lines, -0.5, K - 0.5, color=GRID, linewidth=0.6)
    total = int(counts.sum())
    right = 100 * int(np.trace(counts)) / max(total, 1)
    fitter.title(f"{right:.2f} % of {total:,} right" if total else "")
    return ax


def _counts(matrix: npt.ArrayLike) -> npt.NDArray[Any]:
    """K×K whole numbers, or an error that says what came."""
    counts = np.asarray(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.size == 0:
        raise ShapeError(f"matrix must have shape (K, K) with K of at least 1, got {counts.shape}")
    if counts.dtype.kind not in "iufb":
        raise TypeError(f"matrix must hold counts, got {describe(counts.dtype.name)}")
    wrong = ~((counts >= 0) & np.isfinite(counts) & (counts == np.floor(counts)))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"matrix must hold counts, whole numbers of at least 0, got {counts[row, column]} in "
            f"row {row}, column {column}"
        )
    return counts.astype(np.int64)


def _colour_bar(ax: Axes, image: Any, K: int, given: bool) -> None:
    """What the shades mean, at the right; small, and without words, beside Axes that are given."""
    from matplotlib.ticker import PercentFormatter

    beside = ax.inset_axes((1.03, 0, min(0.04, 0.4 / K), 1))
    bar = ax.figure.colorbar(image, cax=beside, ticks=[0, 0.01, 0.1, 0.5, 1])
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    bar.ax.tick_params(labelsize=6 if given else SMALL, colors=TEXT, length=2)
    if not given:
        bar.set_label("share of the true class", fontsize=SMALL, color=TEXT)
    bar.outline.set_visible(False)


def _name_classes(fitter: Fitter, names: list[str]) -> None:
    ax: Axes = fitter.board
    ax.set_xlabel("predicted", fontsize=NORMAL, color=TEXT)
    ax.set_ylabel("true", fontsize=NORMAL, color=TEXT)
    every = max(1, math.ceil(len(names) / 60))
    slanted = max(map(len, names[::every])) > 3
    fitter.number(ax.xaxis, names, slanted, every)
    fitter.number(ax.yaxis, names, False, every)


def _write_counts(fitter: Fitter, counts: Any, colours: Any) -> None:
    lightness = colours[..., :3] @ [0.299, 0.587, 0.114]
    look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": NORMAL}
    for row, column in zip(*np.nonzero(counts), strict=True):
        ink = "white" if lightness[row, column] < 0.5 else "#111111"
        text = fitter.board.text(column, row, str(counts[row, column]), color=ink, **look)
        fitter.add(text, (0.9, 0.9))
