"""A plane as a board of cells with something written in each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError
from ._style import GRID, TEXT, axes_or_new, plain_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ._fit import Fitter

Plane = npt.NDArray[np.float64]

# Windows (even, even), (even, odd), (odd, even), (odd, odd): neighbours differ in dash too.
WINDOWS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
PAID = "#FFF3C4"
CENTRED: dict[str, Any] = {"ha": "center", "va": "center", "color": TEXT}
ROOM = (0.92, 0.92)  # of a cell, for its text


def as_plane(values: npt.ArrayLike, name: str) -> Plane:
    """``values`` as float64 H×W, or a ShapeError."""
    plane = np.asarray(values, np.float64)
    if plane.ndim != 2 or plane.size == 0:
        raise ShapeError(f"{name} must be a plane of shape (H, W), got shape {plane.shape}")
    return plane


def fixed(value: float, decimals: int, sign: str = "") -> str:
    """``value`` with so many digits after the point; what rounds to 0 has no minus sign."""
    return f"{round(float(value), decimals) + 0.0:{sign}.{decimals}f}"


def board(shape: tuple[int, ...], ax: Axes | None, side: float) -> Fitter:
    """Axes with a cell of ``side`` inches for each of H×W values, row 0 on top."""
    H, W = shape
    ax = axes_or_new(ax, (max(side * W + 0.5, 4.4), max(side * H, 1.2) + 0.6))
    ax.set(xlim=(-0.6, W - 0.4), ylim=(H - 0.4, -0.6))
    ax.set_aspect("equal")
    from ._fit import Fitter

    return Fitter(ax)


def finish(
    fitter: Fitter, title: str, shape: tuple[int, ...], offset: tuple[int, int] = (0, 0)
) -> None:
    """Number rows and columns, from −offset on, and write the title."""
    ax: Axes = fitter.board
    plain_axes(ax, frame=False)
    rows, columns = shape
    ax.xaxis.tick_top()
    fitter.number(ax.xaxis, [str(n - offset[1]) for n in range(columns)])
    fitter.number(ax.yaxis, [str(n - offset[0]) for n in range(rows)])
    fitter.title(title)


def cell_lines(ax: Axes, shape: tuple[int, ...]) -> None:
    """Thin lines between the cells."""
    H, W = shape
    look: dict[str, Any] = {"color": GRID, "linewidth": 0.6, "zorder": 0}
    ax.vlines(np.arange(W + 1) - 0.5, -0.5, H - 0.5, **look)
    ax.hlines(np.arange(H + 1) - 0.5, -0.5, W - 0.5, **look)


def frame(
    ax: Axes,
    corner: tuple[int, int],
    size: tuple[int, int],
    colour: str,
    *,
    inset: float = 0.0,
    **look: Any,
) -> None:
    """A frame about cells: (row, column) of the first, and how many down and across."""
    from matplotlib.patches import Rectangle

    (h, w), (high, wide) = corner, size
    place = (w - 0.5 + inset, h - 0.5 + inset)
    box = Rectangle(place, wide - 2 * inset, high - 2 * inset, fill=False, edgecolor=colour, **look)
    ax.add_patch(box)


def shade(ax: Axes, cell: tuple[int, int], colour: str, inset: float = 0.0) -> None:
    """Fill a cell (row, column), but for a rim of ``inset``."""
    from matplotlib.patches import Rectangle

    place, side = (cell[1] - 0.5 + inset, cell[0] - 0.5 + inset), 1 - 2 * inset
    ax.add_patch(Rectangle(place, side, side, facecolor=colour, edgecolor="none", zorder=0))
