"""Max pooling's routing: which window paid which pixel."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError, describe, nonnegative_int
from ..layers import MaxPool2D
from ._cells import (
    CENTRED,
    DASHES,
    PAID,
    WINDOWS,
    Plane,
    as_plane,
    board,
    cell_lines,
    finish,
    fixed,
    frame,
    shade,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ._fit import Fitter

LINES = 4  # of payments that a cell has room for
RIM = 0.06  # of a cell, about its fill: winners side by side stay apart
Place = tuple[int, int]
Box = tuple[int, int, int, int]  # of pixels: top, left, bottom, right


def pooling_routing(
    x: npt.ArrayLike,
    pool: MaxPool2D,
    dy: npt.ArrayLike | None = None,
    ax: Axes | None = None,
    *,
    decimals: int = 3,
    part: tuple[slice, slice] | None = None,
    title: str | None = None,
) -> Axes:
    """Which windows paid which pixel: max pooling's forward and backward in one table.

    Every window is framed. A pixel that won one or several is filled, and its value is followed by
    the gradients it got, each with the window (i, j) that it came from; where there are several, by
    their sum too. A pixel that equals the maximum of a window, and lost to the first such, is
    marked "tie". Colours, dashes and insets only keep neighbouring frames apart. In small Axes only
    the values are written, or not even they, where they could not be read.

    Args:
        x: The input plane, H×W.
        pool: Its window; the layer itself is not run.
        dy: The gradient of each window's output, OH×OW; None: 1 each.
        ax: Where to draw; None makes a figure with one Axes.
        decimals: Digits after the point.
        part: The windows to draw, (slice of rows, slice of columns), of a plane that has too many;
            None: all. Pixels under them show what they got from every window, drawn or not.
        title: Above the table; None names the windows. Which pixels are drawn is added to it if
            they are not all.

    Raises:
        TypeError: pool is no MaxPool2D, or part is no pair of slices.
        ShapeError: x or dy do not fit, or part holds no window.
        ValueError: decimals is below 0.
    """
    if not isinstance(pool, MaxPool2D):
        raise TypeError(f"pool must be a MaxPool2D, got {describe(pool)}")
    if part is not None and not (
        isinstance(part, tuple) and len(part) == 2 and all(isinstance(cut, slice) for cut in part)
    ):
        raise TypeError(f"part must be a pair of slices, got {describe(part)}")
    digits, values = nonnegative_int(decimals, "decimals"), as_plane(x, "x")
    twin = MaxPool2D(**pool.args())
    y = twin(values[None, None]).data[0, 0]
    gradient = np.ones(y.shape) if dy is None else as_plane(dy, "dy")
    if gradient.shape != y.shape:
        raise ShapeError(f"dy must have the shape of the output, {y.shape}, got {gradient.shape}")
    drawn, box = _reach(twin, y.shape, values.shape, part or np.s_[:, :])
    top, left, bottom, right = box
    bills, ties = _accounts(values, twin, y, gradient, box, digits)
    side = max(
        0.46 + 0.14 * max(map(len, bills.values()), default=0),
        0.07 * max((len(line) for bill in bills.values() for line in bill), default=0) + 0.1,
    )
    fitter = board((bottom - top, right - left), ax, side)
    cell_lines(fitter.board, (bottom - top, right - left))
    overlap = any(s < k for s, k in zip(twin.stride, _window(twin, (0, 0))[0], strict=True))
    _frames(fitter.board, twin, drawn, box, overlap)
    _write(fitter, values, box, bills, ties, digits)
    words = _title(twin) if title is None else title
    if (bottom - top, right - left) != values.shape:
        words += f"; rows {top}–{bottom - 1} of {values.shape[0]}"
        words += f", columns {left}–{right - 1} of {values.shape[1]}"
    finish(fitter, words, (bottom - top, right - left), (-top, -left))
    return fitter.board


def _title(pool: MaxPool2D) -> str:
    (kh, kw), (sh, sw) = pool.kernel_size, pool.stride
    return f"windows {kh}×{kw}, stride {sh if sh == sw else f'{sh}×{sw}'}: who won what"


def _reach(
    pool: MaxPool2D, outputs: tuple[int, ...], pixels: tuple[int, ...], part: tuple[slice, slice]
) -> tuple[tuple[range, range], Box]:
    """The windows to be drawn, and the pixels under them."""
    rows, columns = (range(n)[cut] for n, cut in zip(outputs, part, strict=True))
    if not rows or not columns:
        raise ShapeError(f"part must hold at least one of {outputs[0]}×{outputs[1]} windows")
    if (len(rows), len(columns)) == tuple(outputs):
        return (rows, columns), (0, 0, pixels[0], pixels[1])
    _, first = _window(pool, (min(rows), min(columns)))
    (high, wide), last = _window(pool, (max(rows), max(columns)))
    top, left = (max(0, place) for place in first)
    bottom, right = min(pixels[0], last[0] + high), min(pixels[1], last[1] + wide)
    return (rows, columns), (top, left, bottom, right)


def _window(pool: MaxPool2D, place: Place) -> tuple[tuple[int, int], Place]:
    """(height, width) of a window and its upper left corner."""
    reach = [(k - 1) * d + 1 for k, d in zip(pool.kernel_size, pool.dilation, strict=True)]
    corner = [n * s - p for n, s, p in zip(place, pool.stride, pool.padding, strict=True)]
    return (reach[0], reach[1]), (corner[0], corner[1])


def _seeing(pool: MaxPool2D, outputs: tuple[int, ...], box: Box) -> tuple[range, range]:
    """The windows that reach into a box of pixels."""
    reach, (top, left) = _window(pool, (0, 0))
    found = []
    for axis, (begin, end, start) in enumerate(((box[0], box[2], top), (box[1], box[3], left))):
        step = pool.stride[axis]
        first = max(0, -((start + reach[axis] - 1 - begin) // step))
        last = min(outputs[axis] - 1, (end - 1 - start) // step)
        found.append(range(first, last + 1))
    return found[0], found[1]


def _accounts(
    values: Plane, pool: MaxPool2D, y: npt.NDArray[Any], gradient: Plane, box: Box, decimals: int
) -> tuple[dict[Place, list[str]], set[Place]]:
    """What each pixel of the box was paid, line by line; and which lost to an equal one."""
    assert pool.mask is not None
    mask, W = pool.mask[0, 0], values.shape[1]
    payments: dict[Place, list[Place]] = {}
    ties: set[Place] = set()
    taps = [(u * pool.dilation[0], v * pool.dilation[1]) for u, v in np.ndindex(*pool.kernel_size)]
    for place in itertools.product(*_seeing(pool, y.shape, box)):
        winner = divmod(int(mask[place]), W)
        payments.setdefault(winner, []).append(place)
        _, (top, left) = _window(pool, place)
        for down, across in taps:
            h, w = top + down, left + across
            inside = box[0] <= h < box[2] and box[1] <= w < box[3]
            if inside and (h, w) != winner and values[h, w] == y[place]:
                ties.add((h, w))
    bills = {
        (h, w): _bill(windows, gradient, decimals)
        for (h, w), windows in payments.items()
        if box[0] <= h < box[2] and box[1] <= w < box[3]
    }
    return bills, ties


def _bill(windows: list[Place], gradient: Plane, decimals: int) -> list[str]:
    """The payments of a pixel, a line each as far as there is room, and their sum."""
    paid = [f"({i},{j}): {fixed(gradient[i, j], decimals, '+')}" for i, j in windows]
    if len(paid) == 1:
        return paid
    amounts = [float(gradient[place]) for place in windows]
    total = f"= {fixed(sum(amounts), decimals)}"
    if len(paid) < LINES:
        return [*paid, total]
    if len(set(amounts)) == 1:
        return [f"{len(paid)} windows × {fixed(amounts[0], decimals)}", total]
    return [*paid[: LINES - 2], f"… {len(paid)} windows", total]


def _frames(ax: Axes, pool: MaxPool2D, drawn: tuple[range, range], box: Box, overlap: bool) -> None:
    """A frame for each window; of windows that overlap beside each other, not on each other."""
    for i, j in itertools.product(*drawn):
        reach, (h, w) = _window(pool, (i, j))
        parity = 2 * (i % 2) + j % 2
        frame(
            ax,
            (h - box[0], w - box[1]),
            reach,
            WINDOWS[parity],
            inset=0.04 + (0.05 * parity if overlap else 0),
            linewidth=1.4,
            linestyle=DASHES[parity],
        )


def _write(
    fitter: Fitter,
    values: Plane,
    box: Box,
    bills: dict[Place, list[str]],
    ties: set[Place],
    decimals: int,
) -> None:
    """The values, with what was paid below; winners are filled."""
    ax: Axes = fitter.board
    for h, w in itertools.product(range(box[0], box[2]), range(box[1], box[3])):
        won, value = (h, w) in bills, fixed(values[h, w], decimals)
        if won:
            shade(ax, (h - box[0], w - box[1]), PAID, RIM)
        below = bills.get((h, w), ["tie"] if (h, w) in ties else [])
        # No frame runs through the numbers.
        paper = {"facecolor": PAID if won else "white", "edgecolor": "none", "pad": 0.3}
        look = {**CENTRED, "fontsize": 7, "weight": "bold" if won else "normal", "bbox": paper}
        text = ax.text(w - box[1], h - box[0], "\n".join([value, *below]), **look)
        fitter.add(text, (1 - 2 * RIM, 1 - 2 * RIM), value)
