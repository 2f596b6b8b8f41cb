"""Pictures of training: learning curves and confusion matrices.

Every function draws into the matplotlib Axes it is given, or into one of its own, and returns it;
none touches pyplot, so nothing pops up and nothing has to be closed. Colours are told apart by
people who see few of them, and lines differ in dash and marker as well, for black-and-white print.
matplotlib is needed here alone, and imported when a function is called.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from .errors import ShapeError, describe
from .files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito, "Color universal design", 2008: blue and vermilion, of different lightness too.
TRAIN = {"color": "#0072B2", "linestyle": "--", "marker": "o", "markerfacecolor": "white"}
VALID = {"color": "#D55E00", "linestyle": "-", "marker": "s"}
TEXT = "#333333"
GRID = "#DDDDDD"
SMALL, NORMAL = 8, 10  # points
FORMATS = ("png", "svg", "pdf")


def learning_curves(
    history_rows: Iterable[Mapping[str, Any]],
    ax: Axes | None = None,
    *,
    metric: Literal["loss", "accuracy"] = "loss",
    best_epoch: int | None = None,
) -> Axes:
    """Loss or accuracy in training and in validation, by epoch; the best epoch is ringed.

    Args:
        history_rows: One mapping an epoch: "epoch", and "train_loss", "valid_loss",
            "train_accuracy", "valid_accuracy" as far as they were measured. Accuracies run from 0
            to 1 and are shown in per cent. A value that is missing or not finite leaves a gap.
        ax: Where to draw; None makes a figure with one Axes.
        metric: "loss" or "accuracy".
        best_epoch: The epoch to ring; None: the one that is best by this metric.

    Raises:
        ValueError: there is no row, or no row with this metric.
        ImportError: matplotlib is not installed.
    """
    if metric not in ("loss", "accuracy"):
        raise ValueError(f'metric must be "loss" or "accuracy", got {describe(metric)}')
    rows = _rows(history_rows)
    if not rows:
        raise ValueError("history_rows must hold at least one epoch, got none")
    scale = 100.0 if metric == "accuracy" else 1.0
    epochs = np.array([float(row.get("epoch", n)) for n, row in enumerate(rows, start=1)])
    curves = {part: scale * _column(rows, f"{part}_{metric}") for part in ("train", "valid")}
    curves = {part: curve for part, curve in curves.items() if np.isfinite(curve).any()}
    if not curves:
        known = ", ".join(sorted({key for row in rows for key in row}))
        raise ValueError(
            f"history_rows hold neither train_{metric} nor valid_{metric}, but {known}"
        )
    ax = _axes(ax, (5.0, 3.5))
    names = {"train": "training", "valid": "validation"}
    for part, curve in curves.items():
        style: dict[str, Any] = {**(TRAIN if part == "train" else VALID)}
        style["markevery"] = max(1, len(epochs) // 20)
        ax.plot(epochs, curve, label=names[part], linewidth=1.6, markersize=4.5, **style)
    last = "valid" if "valid" in curves else "train"
    _ring_best(ax, epochs, curves[last], metric, best_epoch)
    _style(ax)
    ax.grid(axis="y", color=GRID, linewidth=0.8)
    ax.set_xlabel("epoch", fontsize=NORMAL, color=TEXT)
    ax.set_ylabel("accuracy in %" if metric == "accuracy" else "loss", fontsize=NORMAL, color=TEXT)
    _whole_epochs(ax, epochs)
    # Above the picture, where it never hides a point.
    above: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
    look: dict[str, Any] = {"frameon": False, "fontsize": SMALL, "labelcolor": TEXT}
    ax.legend(ncols=3, columnspacing=1.2, handlelength=2.4, **above, **look)
    return ax


def training_figure(
    history_rows: Iterable[Mapping[str, Any]], best_epoch: int | None = None
) -> Figure:
    """Loss and accuracy side by side, as far as they were measured; see `learning_curves`.

    Raises:
        ValueError: there is no row, or nothing to draw in them.
        ImportError: matplotlib is not installed.
    """
    rows = _rows(history_rows)
    drawable = [
        metric
        for metric in ("loss", "accuracy")
        if any(np.isfinite(_column(rows, f"{part}_{metric}")).any() for part in ("train", "valid"))
    ]
    figure = _figure((5.0 * max(len(drawable), 1), 3.5))
    for place, metric in enumerate(drawable or ["loss"], start=1):
        ax = figure.add_subplot(1, max(len(drawable), 1), place)
        learning_curves(rows, ax, metric=metric, best_epoch=best_epoch)  # type: ignore[arg-type]
    figure.set_layout_engine("constrained", wspace=0.06)
    return figure


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
    ax = _axes(ax, (side + 0.8, side))
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
    _style(ax, frame=False)
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


def save_figure(ax_or_figure: Axes | Figure, path: str | os.PathLike[str], dpi: int = 150) -> None:
    """Write a figure, or the figure that an Axes belongs to, to a PNG, SVG or PDF file.

    The file appears whole or not at all, and the same picture gives the same bytes.

    Args:
        ax_or_figure: What one of the functions above gave.
        path: The file; its suffix tells the format.
        dpi: Dots an inch, for PNG.

    Raises:
        ValueError: another suffix.
        FileNotFoundError: the folder does not exist.
    """
    kind = Path(path).suffix.lower().lstrip(".")
    if kind not in FORMATS:
        raise ValueError(f"path must end in .{', .'.join(FORMATS)}, got {describe(str(path))}")
    import matplotlib
    from matplotlib.figure import Figure

    figure: Any = ax_or_figure
    while figure is not None and not isinstance(figure, Figure):
        if not hasattr(figure, "figure"):
            raise TypeError(
                f"ax_or_figure must be a matplotlib Axes or Figure, got {describe(ax_or_figure)}"
            )
        figure = figure.figure  # of an Axes its figure or subfigure, of a subfigure the whole
    if figure is None:
        raise ValueError("the Axes belongs to no figure any more")
    # A date, or a random name for a clipping path, would change the file from run to run.
    metadata = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    with matplotlib.rc_context({"svg.hashsalt": "minicnn"}), atomic_write(path) as temporary:
        options: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.08, "facecolor": "white"}
        figure.savefig(temporary, format=kind, dpi=dpi, metadata=metadata, **options)


def _figure(size: tuple[float, float]) -> Figure:
    """An empty figure of ``size`` inches, with a canvas of its own."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("drawing needs matplotlib: pip install matplotlib") from error
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    return _figure(size).add_subplot() if ax is None else ax


def _style(ax: Axes, *, frame: bool = True) -> None:
    """What all pictures share: no box, thin grey axes, small ticks, the grid behind the data."""
    for name, spine in ax.spines.items():
        spine.set_visible(frame and name in ("left", "bottom"))
        spine.set_color("#888888")
    ax.tick_params(labelsize=SMALL, colors=TEXT, length=3 if frame else 0)
    ax.set_axisbelow(True)


def _rows(history_rows: Any) -> list[Mapping[str, Any]]:
    """A list of mappings, or a TypeError that says what came instead."""
    rows = list(history_rows) if isinstance(history_rows, Iterable) else [history_rows]
    for row in rows:
        if not isinstance(row, Mapping):
            raise TypeError(
                f"history_rows must hold a mapping for each epoch, as history.rows does, got "
                f"{describe(row)}"
            )
    return rows


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> npt.NDArray[np.float64]:
    values = [row.get(name) for row in rows]
    numbers = [math.nan if value in (None, "") else float(value) for value in values]
    return np.array([number if math.isfinite(number) else math.nan for number in numbers])


def _ring_best(ax: Axes, epochs: Any, curve: Any, metric: str, best_epoch: int | None) -> None:
    """A ring around the value of the best epoch, which the label names."""
    index = int(np.nanargmax(curve) if metric == "accuracy" else np.nanargmin(curve))
    if best_epoch is not None and best_epoch in epochs:
        index = int(np.flatnonzero(epochs == best_epoch)[0])
    value = f"{curve[index]:.2f} %" if metric == "accuracy" else f"{curve[index]:.4g}"
    ax.plot(
        epochs[index],
        curve[index],
        linestyle="none",
        marker="o",
        markersize=11,
        markerfacecolor="none",
        markeredgecolor=TEXT,
        label=f"best: {value} (epoch {epochs[index]:g})",
    )


def _whole_epochs(ax: Axes, epochs: npt.NDArray[np.float64]) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10, min_n_ticks=1))
    margin = max(0.3, 0.03 * (epochs.max() - epochs.min()))
    ax.set_xlim(epochs.min() - margin, epochs.max() + margin)


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
