"""Numbers in cells: a plane as it is, and a convolution's window on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError, describe, nonnegative_int
from ..layers import Conv2D
from ._cells import (
    CENTRED,
    PAID,
    ROOM,
    WINDOWS,
    as_plane,
    board,
    finish,
    fixed,
    frame,
    shade,
)
from ._marks import Marks
from ._style import BEHIND_NUMBERS, SMALL, colour_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def number_grid(
    plane: npt.ArrayLike,
    ax: Axes | None = None,
    *,
    decimals: int = 3,
    marked: npt.ArrayLike | None = None,
    title: str = "",
) -> Axes:
    """A plane as a table of numbers, shaded by value; rows and columns are numbered.

    Below 0 is blue, above 0 a lighter orange. What is not finite is crossed out. In small Axes the
    numbers are small, then rounded, and left out where they could not be read.

    Args:
        plane: H×W.
        ax: Where to draw; None makes a figure with one Axes.
        decimals: Digits after the point.
        marked: H×W, true where a cell is to be framed.
        title: Above the table.

    Raises:
        ShapeError: plane has no two axes or no element, or marked has another shape.
        ValueError: decimals is below 0.
    """
    values, digits = as_plane(plane, "plane"), nonnegative_int(decimals, "decimals")
    frames = np.zeros(values.shape, bool) if marked is None else np.asarray(marked, bool)
    if frames.shape != values.shape:
        raise ShapeError(f"marked must have shape {values.shape}, got {frames.shape}")
    fitter = board(values.shape, ax, 0.62)
    ax = fitter.board
    finite = np.isfinite(values)
    limit = float(np.abs(values[finite]).max(initial=0)) or 1.0
    shown = np.where(finite, values, np.nan)
    ax.imshow(shown, cmap=colour_map(BEHIND_NUMBERS), vmin=-limit, vmax=limit, zorder=0)
    for (h, w), value in np.ndenumerate(values):
        text = ax.text(w, h, fixed(value, digits), **CENTRED, fontsize=SMALL)
        fitter.add(text, ROOM, fixed(value, min(digits, 1)))
    marks = Marks()
    marks.broken(~finite)
    marks.draw(ax)
    for h, w in np.argwhere(frames):
        frame(ax, (h, w), (1, 1), "#111111", inset=0.05, linewidth=1.8)
    finish(fitter, title, values.shape)
    return ax


def window_at_work(
    x: npt.ArrayLike, layer: Conv2D, place: tuple[int, int], ax: Axes | None = None
) -> Axes:
    """One output of a convolution: the pixels under its window, times the weights, summed.

    In each cell under the window stand the pixel and the weight it is multiplied by; the sum is in
    the title. Cells of the padding are drawn dashed. In small Axes the numbers are small, and left
    out where they could not be read.

    Args:
        x: The input plane, H×W.
        layer: A convolution of one input channel; its first filter is shown.
        place: (i, j), the output to show.
        ax: Where to draw; None makes a figure with one Axes.

    Raises:
        TypeError: layer is no Conv2D.
        ShapeError: the layer has more than one input channel, or x does not fit.
        IndexError: there is no such output.
    """
    if not isinstance(layer, Conv2D):
        raise TypeError(f"layer must be a Conv2D, got {describe(layer)}")
    if layer.in_channels != 1:
        raise ShapeError(f"layer must have 1 input channel, got {layer.in_channels}")
    values = as_plane(x, "x")
    OH, OW = layer.output_shape((1, 1, *values.shape))[2:]
    i, j = place
    if not (0 <= i < OH and 0 <= j < OW):
        raise IndexError(f"place must be within {OH}×{OW}, got {place}")
    (ph, pw), (dh, dw) = layer.padding, layer.dilation
    padded = np.pad(values, ((ph, ph), (pw, pw)))
    fitter = board(padded.shape, ax, 0.72)
    ax = fitter.board
    inside = np.zeros(padded.shape, bool)
    inside[ph : ph + values.shape[0], pw : pw + values.shape[1]] = True
    top, left = i * layer.stride[0], j * layer.stride[1]
    weight = layer.weight.data[0, 0].astype(np.float64)
    taps = {(top + u * dh, left + v * dw): weight[u, v] for u, v in np.ndindex(*weight.shape)}
    total = 0.0 if layer.bias is None else float(layer.bias.data[0])
    for (h, w), value in np.ndenumerate(padded):
        frame(ax, (h, w), (1, 1), "#BBBBBB", linestyle="-" if inside[h, w] else ":")
        text = f"{value + 0.0:.4g}"
        if (h, w) in taps:
            total += value * taps[h, w]
            text += f"\n× {taps[h, w] + 0.0:.3g}"
            shade(ax, (h, w), PAID)
        fitter.add(ax.text(w, h, text, **CENTRED, fontsize=SMALL), ROOM)
    reach = [(k - 1) * d + 1 for k, d in zip(weight.shape, (dh, dw), strict=True)]
    frame(ax, (top, left), (reach[0], reach[1]), WINDOWS[0], linewidth=2.2)
    finish(fitter, f"y[{i}, {j}] = {total + 0.0:.5g}", padded.shape, offset=(ph, pw))
    return ax
