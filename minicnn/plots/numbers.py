"""Numbers in cells: a plane as it is, a convolution's window on it, and max pooling's routing."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError, describe
from ..layers import Conv2D, MaxPool2D
from ._style import NORMAL, SMALL, TEXT, axes_or_new, plain_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Plane = npt.NDArray[np.float64]

WINDOWS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # neighbours differ, also in lightness
PAID = "#FFF3C4"
LINES = 4  # of payments that a cell has room for
CENTRED: dict[str, Any] = {"ha": "center", "va": "center", "color": TEXT}


def number_grid(
    plane: npt.ArrayLike,
    ax: Axes | None = None,
    *,
    decimals: int = 3,
    marked: npt.ArrayLike | None = None,
    title: str = "",
) -> Axes:
    """A plane as a table of numbers, shaded by value; rows and columns are numbered.

    Args:
        plane: H×W.
        ax: Where to draw; None makes a figure with one Axes.
        decimals: Digits after the point.
        marked: H×W, true where a cell is to be framed.
        title: Above the table.

    Raises:
        ShapeError: plane has no two axes or no element, or marked has another shape.
    """
    values = _plane(plane, "plane")
    ax = _board(values, ax, 0.62)
    limit = float(np.abs(values[np.isfinite(values)]).max(initial=0)) or 1.0
    ax.imshow(values, cmap="RdBu_r", vmin=-2.5 * limit, vmax=2.5 * limit, zorder=0)
    for (h, w), value in np.ndenumerate(values):
        ax.text(w, h, _fixed(value, decimals), **CENTRED, fontsize=SMALL)
    if marked is not None:
        frames = np.asarray(marked, bool)
        if frames.shape != values.shape:
            raise ShapeError(f"marked must have shape {values.shape}, got {frames.shape}")
        for h, w in np.argwhere(frames):
            _frame(ax, (h, w), (1, 1), "#111111", inset=0.05, linewidth=1.8)
    _finish(ax, title)
    return ax


def window_at_work(
    x: npt.ArrayLike, layer: Conv2D, place: tuple[int, int], ax: Axes | None = None
) -> Axes:
    """One output of a convolution: the pixels under its window, times the weights, summed.

    In each cell under the window stand the pixel and the weight it is multiplied by; the sum is in
    the title. Cells of the padding are drawn dashed.

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
    values = _plane(x, "x")
    OH, OW = layer.output_shape((1, 1, *values.shape))[2:]
    i, j = place
    if not (0 <= i < OH and 0 <= j < OW):
        raise IndexError(f"place must be within {OH}×{OW}, got {place}")
    (ph, pw), (dh, dw) = layer.padding, layer.dilation
    padded = np.pad(values, ((ph, ph), (pw, pw)))
    ax = _board(padded, ax, 0.72)
    inside = np.zeros(padded.shape, bool)
    inside[ph : ph + values.shape[0], pw : pw + values.shape[1]] = True
    top, left = i * layer.stride[0], j * layer.stride[1]
    weight = layer.weight.data[0, 0].astype(np.float64)
    taps = {(top + u * dh, left + v * dw): weight[u, v] for u, v in np.ndindex(*weight.shape)}
    total = 0.0 if layer.bias is None else float(layer.bias.data[0])
    for (h, w), value in np.ndenumerate(padded):
        _frame(ax, (h, w), (1, 1), "#BBBBBB", linestyle="-" if inside[h, w] else ":")
        text = f"{value + 0.0:.4g}"
        if (h, w) in taps:
            total += value * taps[h, w]
            text += f"\n× {taps[h, w] + 0.0:.3g}"
            _shade(ax, (h, w), PAID)
        ax.text(w, h, text, **CENTRED, fontsize=SMALL)
    reach = [(k - 1) * d + 1 for k, d in zip(weight.shape, (dh, dw), strict=True)]
    _frame(ax, (top, left), (reach[0], reach[1]), WINDOWS[0], linewidth=2.2)
    _finish(ax, f"y[{i}, {j}] = {total + 0.0:.5g}", offset=(ph, pw))
    return ax


def pooling_routing(
    x: npt.ArrayLike,
    pool: MaxPool2D,
    dy: npt.ArrayLike | None = None,
    ax: Axes | None = None,
    *,
    decimals: int = 3,
    part: tuple[slice, slice] | None = None,
) -> Axes:
    """Which windows paid which pixel: max pooling's forward and backward in one table.

    Every window is framed. A pixel that won one or several is filled, and its value is followed by
    the gradients it got, each with the window (i, j) that it came from; where there are several, by
    their sum too. A pixel that equals the maximum of a window, and lost to the first such, is
    marked "tie". Colours and insets only keep neighbouring frames apart.

    Args:
        x: The input plane, H×W.
        pool: Its window; the layer itself is not run.
        dy: The gradient of each window's output, OH×OW; None: 1 each.
        ax: Where to draw; None makes a figure with one Axes.
        decimals: Digits after the point.
        part: The windows to draw, (slice of rows, slice of columns), of a plane that has too many;
            None: all. Pixels under them show what they got from every window, drawn or not.

    Raises:
        TypeError: pool is no MaxPool2D.
        ShapeError: x or dy do not fit.
    """
    if not isinstance(pool, MaxPool2D):
        raise TypeError(f"pool must be a MaxPool2D, got {describe(pool)}")
    values = _plane(x, "x")
    twin = MaxPool2D(**pool.args())
    y = twin(values[None, None]).data[0, 0]
    assert twin.mask is not None
    mask = twin.mask[0, 0]
    gradient = np.ones(y.shape) if dy is None else _plane(dy, "dy")
    if gradient.shape != y.shape:
        raise ShapeError(f"dy must have the shape of the output, {y.shape}, got {gradient.shape}")
    payments: dict[int, list[tuple[int, int]]] = {}
    for (i, j), winner in np.ndenumerate(mask):
        payments.setdefault(int(winner), []).append((i, j))
    bills = {n: _bill(windows, gradient, decimals) for n, windows in payments.items()}
    lines, letters = (
        max(map(len, bills.values())),
        max(len(s) for bill in bills.values() for s in bill),
    )
    drawn = np.s_[:, :] if part is None else part
    (rows, columns), (top, left, bottom, right) = _reach(twin, y.shape, values.shape, drawn)
    side = max(0.46 + 0.14 * lines, 0.066 * letters + 0.1)
    ax = _board(values[top:bottom, left:right], ax, side)
    overlap = any(s < k for s, k in zip(twin.stride, _window(twin, (0, 0))[0], strict=True))
    for i, j in itertools.product(rows, columns):
        reach, (h, w) = _window(twin, (i, j))
        corner = (h - top, w - left)
        parity = 2 * (i % 2) + j % 2
        # Frames of windows that overlap lie beside each other, not on each other.
        inset = 0.04 + (0.05 * parity if overlap else 0)
        _frame(ax, corner, reach, WINDOWS[parity], inset=inset, linewidth=1.4)
    ties = _ties(values, twin, y, mask)
    for h, w in itertools.product(range(top, bottom), range(left, right)):
        n, value = h * values.shape[1] + w, values[h, w]
        if n in bills:
            _shade(ax, (h - top, w - left), PAID)
        below = bills.get(n, ["tie"] if (h, w) in ties else [])
        text = "\n".join([_fixed(value, decimals), *below])
        bold = "bold" if n in bills else "normal"
        # No frame runs through the numbers.
        paper = {"facecolor": PAID if n in bills else "white", "edgecolor": "none", "pad": 0.8}
        ax.text(w - left, h - top, text, **CENTRED, fontsize=7, weight=bold, bbox=paper)
    (kh, kw), (sh, sw) = twin.kernel_size, twin.stride
    stride = f"{sh}" if sh == sw else f"{sh}×{sw}"
    _finish(ax, f"windows {kh}×{kw}, stride {stride}: who won what", (-top, -left))
    return ax


def _reach(
    pool: MaxPool2D,
    outputs: tuple[int, ...],
    pixels: tuple[int, ...],
    drawn: tuple[slice, slice],
) -> tuple[tuple[range, range], tuple[int, int, int, int]]:
    """The windows to be drawn, and the pixels under them: top, left, bottom, right."""
    rows, columns = (range(n)[cut] for n, cut in zip(outputs, drawn, strict=True))
    if not rows or not columns:
        raise ShapeError(f"part must hold at least one of {outputs[0]}×{outputs[1]} windows")
    whole = (len(rows), len(columns)) == tuple(outputs)
    _, first = _window(pool, (rows[0], columns[0]))
    (high, wide), last = _window(pool, (rows[-1], columns[-1]))
    top, left = (max(0, place) for place in first)
    bottom, right = min(pixels[0], last[0] + high), min(pixels[1], last[1] + wide)
    if whole:
        return (rows, columns), (0, 0, pixels[0], pixels[1])
    return (rows, columns), (top, left, bottom, right)


def _bill(windows: list[tuple[int, int]], gradient: Plane, decimals: int) -> list[str]:
    """The payments of a pixel, a line each as far as there is room, and their sum."""
    paid = [f"({i},{j}): {_fixed(gradient[i, j], decimals, '+')}" for i, j in windows]
    if len(paid) == 1:
        return paid
    amounts = [float(gradient[place]) for place in windows]
    total = f"= {_fixed(sum(amounts), decimals)}"
    if len(paid) < LINES:
        return [*paid, total]
    if len(set(amounts)) == 1:
        return [f"{len(paid)} windows × {_fixed(amounts[0], decimals)}", total]
    return [*paid[: LINES - 2], f"… {len(paid)} windows", total]


def _fixed(value: float, decimals: int, sign: str = "") -> str:
    """``value`` with so many digits after the point; what rounds to 0 has no minus sign."""
    return f"{round(float(value), decimals) + 0.0:{sign}.{decimals}f}"


def _window(pool: MaxPool2D, place: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """(height, width) of a window and its upper left corner."""
    reach = [(k - 1) * d + 1 for k, d in zip(pool.kernel_size, pool.dilation, strict=True)]
    corner = [n * s - p for n, s, p in zip(place, pool.stride, pool.padding, strict=True)]
    return (reach[0], reach[1]), (corner[0], corner[1])


def _ties(
    values: Plane, pool: MaxPool2D, y: npt.NDArray[Any], mask: npt.NDArray[np.int32]
) -> set[tuple[int, int]]:
    """The pixels that equal the maximum of a window which another one has won."""
    found = set()
    for place in np.ndindex(*y.shape):
        _, (top, left) = _window(pool, (place[0], place[1]))
        for u, v in np.ndindex(*pool.kernel_size):
            h, w = top + u * pool.dilation[0], left + v * pool.dilation[1]
            if 0 <= h < values.shape[0] and 0 <= w < values.shape[1]:
                lost = h * values.shape[1] + w != mask[place]
                if lost and values[h, w] == y[place]:
                    found.add((h, w))
    return found


def _plane(values: npt.ArrayLike, name: str) -> Plane:
    plane = np.asarray(values, np.float64)
    if plane.ndim != 2 or plane.size == 0:
        raise ShapeError(f"{name} must be a plane of shape (H, W), got shape {plane.shape}")
    return plane


def _board(values: Plane, ax: Axes | None, side: float) -> Axes:
    """Axes with a cell of ``side`` inches for each value, row 0 on top."""
    H, W = values.shape
    ax = axes_or_new(ax, (max(side * W + 0.5, 4.4), max(side * H, 1.2) + 0.6))
    ax.set(xlim=(-0.6, W - 0.4), ylim=(H - 0.4, -0.6))
    ax.set_aspect("equal")
    return ax


def _finish(ax: Axes, title: str, offset: tuple[int, int] = (0, 0)) -> None:
    """Number rows and columns, from −offset on."""
    plain_axes(ax, frame=False)
    rows, columns = int(ax.get_ylim()[0] + 0.4), int(ax.get_xlim()[1] + 0.4)
    ax.set_xticks(range(columns), [str(n - offset[1]) for n in range(columns)])
    ax.set_yticks(range(rows), [str(n - offset[0]) for n in range(rows)])
    ax.xaxis.tick_top()
    ax.set_title(title, fontsize=NORMAL, color=TEXT, loc="left")


def _frame(
    ax: Axes,
    corner: tuple[int, int],
    size: tuple[int, int],
    colour: str,
    *,
    inset: float = 0.0,
    **look: Any,
) -> None:
    from matplotlib.patches import Rectangle

    (h, w), (high, wide) = corner, size
    place = (w - 0.5 + inset, h - 0.5 + inset)
    box = Rectangle(place, wide - 2 * inset, high - 2 * inset, fill=False, edgecolor=colour, **look)
    ax.add_patch(box)


def _shade(ax: Axes, cell: tuple[int, int], colour: str) -> None:
    from matplotlib.patches import Rectangle

    h, w = cell
    ax.add_patch(Rectangle((w - 0.5, h - 0.5), 1, 1, facecolor=colour, edgecolor="none", zorder=0))
