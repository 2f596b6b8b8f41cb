"""Learning curves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import describe
from ._style import (
    GRID,
    NORMAL,
    TEXT,
    TRAIN,
    VALID,
    add_legend,
    axes_or_new,
    new_figure,
    plain_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def learning_curves(
    history_rows: Iterable[Mapping[str, Any]],
    ax: Axes | None = None,
    *,
    metric: Literal["loss", "accuracy"] = "loss",
    best_epoch: int | None = None,
) -> Axes:
    """Loss or accuracy in training and in validation, by epoch; the best epoch is ringed.

    The legend says what the ring is about: the lowest validation loss, the highest validation
    accuracy, or the ``best_epoch`` that was given. What is best in training says nothing about a
    net: without validation, and without ``best_epoch``, nothing is ringed.

    Args:
        history_rows: One mapping an epoch: "epoch", and "train_loss", "valid_loss",
            "train_accuracy", "valid_accuracy" as far as they were measured. Accuracies run from 0
            to 1 and are shown in per cent. A value that is missing or not finite leaves a gap.
        ax: Where to draw; None makes a figure with one Axes.
        metric: "loss" or "accuracy".
        best_epoch: The epoch to ring, if it was measured; None: the one that is best in validation
            by this metric.

    Raises:
        ValueError: there is no row, no row with this metric, or no row of the best_epoch.
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
    ax = axes_or_new(ax, (5.0, 3.5))
    names = {"train": "training", "valid": "validation"}
    for part, curve in curves.items():
        style: dict[str, Any] = {**(TRAIN if part == "train" else VALID)}
        style["markevery"] = max(1, len(epochs) // 20)
        ax.plot(epochs, curve, label=names[part], linewidth=1.6, markersize=4.5, **style)
    _ring_best(ax, epochs, curves, metric, best_epoch)
    plain_axes(ax)
    ax.grid(axis="y", color=GRID, linewidth=0.8)
    ax.set_xlabel("epoch", fontsize=NORMAL, color=TEXT)
    ax.set_ylabel("accuracy in %" if metric == "accuracy" else "loss", fontsize=NORMAL, color=TEXT)
    _whole_epochs(ax, epochs)
    from ._fit import Fitter

    fitter = Fitter(ax)
    fitter.title("")
    # Above the picture, where it never hides a point.
    above: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
    above |= {"ncols": 2, "columnspacing": 1.2, "handlelength": 2.4}
    fitter.legend(add_legend(ax, *ax.get_legend_handles_labels(), **above))
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
    figure = new_figure((5.0 * max(len(drawable), 1), 3.5))
    for place, metric in enumerate(drawable or ["loss"], start=1):
        ax = figure.add_subplot(1, max(len(drawable), 1), place)
        learning_curves(rows, ax, metric=metric, best_epoch=best_epoch)  # type: ignore[arg-type]
    figure.set_layout_engine("constrained", wspace=0.06)
    return figure


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


def _ring_best(
    ax: Axes,
    epochs: npt.NDArray[np.float64],
    curves: Mapping[str, npt.NDArray[np.float64]],
    metric: str,
    best_epoch: int | None,
) -> None:
    """A ring around the value of the best epoch, which the label names."""
    curve = curves.get("valid", curves.get("train"))
    assert curve is not None
    if best_epoch is not None:
        if best_epoch not in epochs:
            raise ValueError(
                f"best_epoch must be one of the epochs in history_rows, from {epochs.min():g} to "
                f"{epochs.max():g}, got {describe(best_epoch)}"
            )
        index = int(np.flatnonzero(epochs == best_epoch)[0])
    elif "valid" in curves:
        index = int(np.nanargmax(curve) if metric == "accuracy" else np.nanargmin(curve))
    else:
        return
    if not math.isfinite(curve[index]):
        return
    value = f"{curve[index]:.2f} %" if metric == "accuracy" else f"{curve[index]:.4g}"
    what = "highest validation accuracy" if metric == "accuracy" else "lowest validation loss"
    what = what if best_epoch is None else "best epoch"
    look: dict[str, Any] = {"marker": "o", "markersize": 11, "markerfacecolor": "none"}
    look |= {"linestyle": "none", "markeredgecolor": TEXT}
    ax.plot(epochs[index], curve[index], label=f"{what}: {value} (epoch {epochs[index]:g})", **look)


def _whole_epochs(ax: Axes, epochs: npt.NDArray[np.float64]) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10, min_n_ticks=1))
    margin = max(0.3, 0.03 * (epochs.max() - epochs.min()))
    ax.set_xlim(epochs.min() - margin, epochs.max() + margin)
